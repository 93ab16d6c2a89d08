#!/usr/bin/env bash
# Fetch the free fonts that render_plates.py draws with: `models/train/fonts.sh [FOLDER]`
# (default: models/train/runs/fonts, which git ignores). Needs apt-get, dpkg-deb, npm and Python with fonttools[woff].
# All are OFL or MIT and only draw training pictures; no font file is part of the repository or of the weights.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
into=${1:-$here/runs/fonts}
mkdir -p "$into/deb" "$into/npm" "$into/ttf" "$into/lettering"

cd "$into/deb"
apt-get download fonts-roadgeek fonts-opendin
for package in ./*.deb; do dpkg-deb -x "$package" .; done

cd "$into/npm"
[ -f package.json ] || echo '{"private": true}' > package.json
names="saira-condensed saira-semi-condensed saira-extra-condensed barlow-condensed barlow-semi-condensed
  big-shoulders-display pathway-gothic-one overpass overpass-mono roboto-condensed oswald antonio b612-mono share-tech
  share-tech-mono teko rajdhani fjalla-one bebas-neue league-gothic archivo-narrow pt-sans-narrow
  ibm-plex-sans-condensed sofia-sans-extra-condensed sofia-sans-condensed fira-sans-condensed encode-sans-condensed
  asap-condensed cabin-condensed staatliches chakra-petch dosis economica advent-pro khand pragati-narrow
  big-shoulders-text anton francois-one squada-one"
# Faces for state names and slogans only.
lettering="pacifico kaushan-script dancing-script lobster merriweather playfair-display roboto-slab courgette yellowtail rye"
for name in $names $lettering; do
  npm install --no-audit --no-fund --silent "@fontsource/$name" || echo "no package @fontsource/$name, left out" >&2
done

cd "$into"
python3 - "$lettering" <<'PYTHON'
"""Latin subset of every upright font, weights 400 to 700 (800 where it is all there is), as TrueType files in ttf/."""
import re
import sys
from pathlib import Path

from fontTools.ttLib import TTFont

lettering = set(sys.argv[1].split())
for source in sorted(Path("npm/node_modules/@fontsource").glob("*/files/*-latin-[4567]00-normal.woff2")):
    target = Path("lettering" if source.parent.parent.name in lettering else "ttf") / (source.stem + ".ttf")
    if not target.exists():
        font = TTFont(source)
        font.flavor = None
        font.save(target)
for source in sorted(Path("deb").rglob("*.[to]tf")):
    if not re.search(r"italic|oblique", source.name, re.I):
        (Path("ttf") / source.name.replace(" ", "-")).write_bytes(source.read_bytes())
print(len(list(Path("ttf").iterdir())), "fonts in", Path("ttf").resolve())
PYTHON
