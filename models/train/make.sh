#!/usr/bin/env bash
# One network from nothing to the files that ship: `models/train/make.sh detector|refiner|reader|rail [OUT]`, from anywhere. OUT: where the files go (models/ unless given).
#
# Needs requirements.txt in the Python that PYTHON names, target/release/garita, and, but for rail, the photographs in ../shared/data. Every step leaves its result in
# models/train/runs/, and what is there is not made again: interrupted, it goes on. Seeds are in the steps; runs end by the clock, so a second one gives other weights.
# The shipped weights came by longer ways round, which the cards tell. On two cores: detector 5 h, refiner 1 h, reader 3 h, rail 4 h. QUICK=1 does every step
# with next to nothing, in runs/quick, to see that the steps fit together; its weights are worth nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
network=${1:-}
out=${2:-models}
train=models/train
python=${PYTHON:-python3}
# Else half of the time is the kernel's, giving and taking pages.
export MALLOC_MMAP_THRESHOLD_=33000000 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=67108864 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# As `cargo xtask runtime` has it.
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/.runtime/libonnxruntime.so}

# How much of everything: usually, and to see that it runs.
size() { if [ "${QUICK:-0}" = 1 ]; then echo "$2"; else echo "$1"; fi; }
runs=$train/runs$(size "" /quick)
tag=$(size "" quick-)
mkdir -p "$runs" "$out"
[ "$out" -ef models ] || cp models/*.json "$out/"
step() { printf '\n== %s\n' "$*" >&2; "$@"; }
# A step whose result is there is done.
unless() { local result=$1; shift; [ -e "$result" ] || step "$@"; }
scenes() { unless "$runs/$1/manifest.jsonl" target/release/garita synth lane --seed "$2" --count "$(size "$3" 6)" --kind "$4" --out "$runs/$1"; }
fonts() { [ -d $train/runs/fonts/ttf ] || step $train/fonts.sh; }
pool() { fonts; unless "$runs/cache/pool0/ratio.npy" "$python" $train/render_plates.py --count "$(size 24000 300)" --seed 1000 --out "$runs/cache/pool0"; }
detector() { step "$python" $train/detector.py "$@" --work "$runs/detector"; }
refiner() { step "$python" $train/refiner.py "$@" --work "$runs/detector" --pool "$runs/cache/pool0"; }
reader() { step "$python" $train/reader.py --work "$runs/cache" "$@"; }
rail() { step "$python" $train/rail.py --folder "$runs" "$@"; }

case $network in
detector)
    pool
    detector train --name "${tag}r4" --pool "$runs/cache/pool0" --batch 8 --steps "$(size 60000 4)" --every "$(size 500 4)"
    detector export --name "${tag}r4" --out "$out" --calibration "$(size 120 8)"
    # For the tiles of wide views: taught further on rendered scenes, and the mean of both.
    scenes wide 3102 "$(size 160 4)" wide4k
    scenes single 3111 400 single
    detector train --name "${tag}r5" --init "$out/detector.onnx" --frozen --scenes "$runs/wide" "$runs/single" --rectangles 0.05 --lr 4e-4 --batch 8 --seed 5 \
        --steps "$(size 8000 4)" --every "$(size 500 4)"
    detector blend --start "$runs/detector/${tag}r4.pt" --end "$runs/detector/${tag}r5.pt" --share 0.5 --name tiles
    detector export --tiles --name tiles --out "$out" --calibration "$(size 120 8)"
    ;;
refiner)
    pool
    for seed in 1 2; do
        [ -e "$runs/detector/bank-$seed.npz" ] || refiner bank --seed $seed --canvases "$(size 3000 12)"
    done
    scenes signs 3401 260 single
    [ -e "$runs/detector/bank-3.npz" ] || refiner bank --seed 3 --canvases "$(size 1500 12)" --scenes "$runs/signs"
    refiner train --name "${tag}a" --banks 1 --seconds "$(size 1500 5)"
    refiner train --name "${tag}b" --init "${tag}a" --lr 1e-3 --seconds "$(size 700 5)"
    refiner export --name "${tag}b" --models "$out"
    ;;
reader)
    fonts
    pools="--pool $(size 24000 300) --pools $(size 6 1)"
    reader train --name "${tag}a" $pools --seconds "$(size 4800 20)" --every "$(size 150 10)"
    # Where the characters of the real crops stand, so that they can be dealt anew.
    reader align "$train/runs/reader_${tag}a.pt"
    reader train --name "${tag}b" --init "$train/runs/reader_${tag}a.pt" $pools --lr 1e-3 --batch 64 --real 0.3 0.3 0.3 0.36 0.42 --seconds "$(size 4800 20)" --every "$(size 150 10)"
    reader export "$train/runs/reader_${tag}b.pt" --models "$out" --calibration "$(size 400 8)"
    step "$python" $train/formats.py --pool "$runs/cache/pool0" --settings "$out/reader.json"
    # What a confidence is worth, on the tuning slice, with the detector as it is.
    [ "$out" -ef models ] || cp -n models/*.onnx "$out/"
    GARITA_MODELS=$out step "$python" $train/calibrate.py --settings "$out/reader.json"
    ;;
rail)
    rail data --share "$(size 1 0.02)"
    rail train --steps "$(size 14400 6)"
    rail train --steps "$(size 60000 12)" --minutes 190 --rate 1.5e-3 --loudest 0.02
    rail eval
    rail export --models "$out"
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
