//! The rail simulator against physics: counts are Poisson, thickness is what the tables say, a seed is a train, nothing leaks.

use garita::synth::rail::anomalies::Anomaly;
use garita::synth::rail::attenuation::{MASS_ATTENUATION, Source, Stuff};
use garita::synth::rail::cars::Kind;
use garita::synth::rail::detector::{Array, Effects};
use garita::synth::rail::geometry::{Canvas, Portal, Rays};
use garita::synth::rail::motion::Driving;
use garita::synth::rail::{Options, Train, Truth, testcar, write};

const PORTAL: Portal = Portal { source_to_centre_m: 7.2, source_z_m: 2.3, top_m: 5.85, pitch_m: 0.016, detectors: 368 };

fn options(seed: u64) -> Options {
    Options {
        seed,
        visit: 0,
        noise: 0,
        cars: 3,
        kinds: Vec::new(),
        loads: Vec::new(),
        anomalies: Vec::new(),
        empties: false,
        locomotives: 0,
        shutter: false,
        anomaly_share: 0.0,
        density: 1.0,
        source: Source::Cs137,
        quanta: None,
        portal: PORTAL,
        column_m: 0.016,
        driving: Driving { speed_m_s: 1.8, jitter: 0.06, speed_error: 0.01, stop: false, reverse: false },
        effects: None,
        test_car: false,
    }
}

/// All counts of a scan, `[column, detector]`, its truth, and the flags of every column.
fn scan(options: Options) -> (Vec<u16>, Truth, Vec<(bool, bool, bool)>) {
    let mut counts = Vec::new();
    let mut flags = Vec::new();
    let truth = Train::new(options)
        .scan(|column| -> Result<(), ()> {
            counts.extend_from_slice(column.counts[0]);
            flags.push((column.shut, column.step.stopped, column.step.reversed));
            Ok(())
        })
        .unwrap();
    (counts, truth, flags)
}

#[test]
fn open_beam_is_poisson() {
    let (counts, truth, _) = scan(Options { effects: Some(Effects::none()), ..options(1) });
    let quanta: Vec<f64> = counts[..200 * 368].iter().map(|v| (f64::from(*v) - 64.0) / truth.gain).collect();
    let n = quanta.len() as f64;
    let mean = quanta.iter().sum::<f64>() / n;
    let variance = quanta.iter().map(|q| (q - mean).powi(2)).sum::<f64>() / (n - 1.0);
    assert!((mean - truth.quanta).abs() < 5.0 * (truth.quanta / n).sqrt(), "mean {mean}, expected {}", truth.quanta);
    assert!((variance / mean - 1.0).abs() < 5.0 * (2.0 / n).sqrt() + 1e-3, "variance over mean {}", variance / mean);
}

#[test]
fn a_wedge_transmits_what_the_table_says() {
    let rays = Rays::new(PORTAL);
    let columns: Vec<(f64, f64)> = (0..40).map(|k| (f64::from(k) * 0.016, f64::from(k + 1) * 0.016)).collect();
    for (source, mu) in
        [(Source::Cs137, vec![(1.0, MASS_ATTENUATION[0][8])]), (Source::Co60, vec![(0.515, MASS_ATTENUATION[0][11]), (0.485, MASS_ATTENUATION[0][13])])]
    {
        let array = Array::new(PORTAL, source.beams().remove(0), Effects::none(), 160.0, 0.009, 1, 1);
        for mm in testcar::WEDGE_MM {
            let mut canvas = Canvas::new(&rays, &columns);
            canvas.slab(Stuff::of("steel"), 0.1, 0.5, -mm / 2000.0, mm / 2000.0, 1.0, 4.0);
            let t = array.transmission(canvas.planes(), columns.len());
            let mut worst: f64 = 0.0;
            for z in [1.2, 2.3, 3.8] {
                let detector = rays.detector(0.0, z).round() as usize;
                let height = PORTAL.top_m - 0.016 * detector as f64;
                let g_cm2 = 7.85 * mm / 10.0 * (1.0 + ((height - 2.3) / 7.2).powi(2)).sqrt();
                let table: f64 = mu.iter().map(|(share, mu)| share * (-mu * g_cm2).exp()).sum();
                worst = worst.max((f64::from(t[20 * 368 + detector]) / table - 1.0).abs());
            }
            // 0.1 %: the scaling of steel to its plane (0.07347 against 0.07348) and single precision.
            assert!(worst < 2e-3, "{mm} mm of steel, {source:?}: {worst}");
        }
    }
}

#[test]
fn the_test_cars_wedge_is_read_back_from_counts() {
    let (counts, truth, _) = scan(Options { cars: 1, test_car: true, effects: Some(Effects::none()), quanta: Some(12_000.0), ..options(5) });
    let car = truth.cars.last().unwrap();
    let scale = (car.columns[1] - car.columns[0]) as f64 / car.length_m;
    for piece in truth.test_objects.iter().filter(|p| p.kind == "wedge" && p.size_mm <= 80.0) {
        // The middle half of a step, wherever jitter put it: a step is 31 columns, the jitter a few.
        let middle = car.columns[0] as f64 + (piece.x_m[0] + piece.x_m[1]) / 2.0 * scale;
        let detector = 222; // z = 2.298 m: the level ray.
        let mut sum = 0.0;
        for column in middle as usize - 3..middle as usize + 3 {
            for i in detector - 2..detector + 3 {
                sum += (f64::from(counts[column * 368 + i]) - 64.0) / truth.gain;
            }
        }
        let mm = -(sum / 30.0 / truth.quanta).ln() / MASS_ATTENUATION[0][8] / 0.785;
        let sigma = 1.0 / (sum.sqrt() * MASS_ATTENUATION[0][8] * 0.785);
        assert!((mm - piece.size_mm).abs() < 5.0 * sigma + 0.05, "{mm} mm for {}", piece.size_mm);
    }
}

#[test]
fn a_seed_is_a_train() {
    let asked = |seed| Options { anomaly_share: 0.5, ..options(seed) };
    let (a, ta, _) = scan(asked(7));
    let (b, tb, _) = scan(asked(7));
    assert_eq!(a, b);
    assert_eq!(serde_json::to_string(&ta).unwrap(), serde_json::to_string(&tb).unwrap());
    let (c, ..) = scan(asked(8));
    assert_ne!(a, c);
}

#[test]
fn another_visit_brings_the_same_cars() {
    let today = Options { empties: true, kinds: vec![Kind::Tank, Kind::Hopper], ..options(11) };
    let (a, ta, _) = scan(today.clone());
    let (b, tb, _) = scan(Options { visit: 1, ..today });
    assert_ne!(a, b);
    for (x, y) in ta.cars.iter().zip(&tb.cars) {
        assert_eq!((&x.mark, x.kind, x.length_m, &x.load), (&y.mark, y.kind, y.length_m, &y.load));
    }
}

#[test]
fn an_anomaly_of_no_density_changes_nothing() {
    let with = Options { anomaly_share: 1.0, density: 0.0, cars: 4, ..options(13) };
    let (a, ta, _) = scan(with.clone());
    let (b, ..) = scan(Options { anomaly_share: 0.0, ..with.clone() });
    // The noise is the same stream, so the very counts are the same: nothing of the anomaly's code reaches them.
    assert!(ta.cars.iter().all(|c| c.anomaly.as_ref().is_some_and(|a| a.d_ideal == 0.0 && !a.mask.is_empty())));
    assert_eq!(a, b);
    // Another noise has other counts of the same mean: z of the sum.
    let (c, ..) = scan(Options { noise: 1, ..with });
    let sum = |v: &[u16]| v.iter().map(|x| (f64::from(*x) - 64.0) / ta.gain).sum::<f64>();
    let (sa, sc) = (sum(&a), sum(&c));
    // Drift wanders by up to a few tenths of a per cent of the whole.
    assert!(a != c && (sa / sc - 1.0).abs() < 0.01, "{sa} {sc}");
}

#[test]
fn truth_boxes_hold_their_masks_and_cars_their_boxes() {
    for (seed, empties) in [(17, true), (18, false), (19, true), (20, false)] {
        let (counts, truth, _) = scan(Options { anomaly_share: 1.0, empties, cars: 6, ..options(seed) });
        let columns = counts.len() / 368;
        for car in &truth.cars {
            let Some(anomaly) = &car.anomaly else { continue };
            let [x, y, w, h] = anomaly.bounds;
            assert!(!anomaly.mask.is_empty() && w > 0 && h > 0, "seed {seed} car {}: {:?}", car.position, anomaly.kind);
            assert!(x + w <= columns && y + h <= 368);
            for [column, first, end] in &anomaly.mask {
                assert!((x..x + w).contains(column) && *first >= y && *end <= y + h && first < end);
            }
            assert!(
                x >= car.columns[0] && x + w <= car.columns[1],
                "seed {seed} car {}: {:?} at {:?} of {:?}",
                car.position,
                anomaly.kind,
                anomaly.bounds,
                car.columns
            );
        }
    }
}

#[test]
fn every_kind_and_anomaly_draws() {
    for kind in [Kind::Boxcar, Kind::Tank, Kind::Hopper, Kind::Gondola, Kind::Autorack, Kind::Well, Kind::Flat, Kind::Locomotive, Kind::Other] {
        let (_, truth, _) = scan(Options { kinds: vec![kind], cars: 2, anomaly_share: 1.0, ..options(23) });
        for car in &truth.cars {
            assert_eq!(car.kind, kind);
            let length = (car.columns[1] - car.columns[0]) as f64 * 0.016;
            // Slack action stretches by up to 15 %.
            assert!((length / car.length_m - 1.0).abs() < 0.2, "{kind:?}: {length} m of {}", car.length_m);
        }
    }
}

#[test]
fn the_ideal_observers_figure_is_in_the_counts() {
    // d' from truth against d' from many noisy pairs: the template's response, with and without, in units of its spread.
    let with = Options {
        anomaly_share: 1.0,
        anomalies: vec![Anomaly::PkgEmpty],
        empties: true,
        kinds: vec![Kind::Boxcar],
        cars: 1,
        effects: Some(Effects::none()),
        ..options(29)
    };
    let (a, truth, _) = scan(with.clone());
    let (b, ..) = scan(Options { anomaly_share: 0.0, ..with.clone() });
    let anomaly = truth.cars[0].anomaly.as_ref().unwrap();
    // Same noise stream does not mean the same draws; a plain estimate over the mask: Σ (a - b)² / b minus its noise of 2 a pixel.
    let mut estimate = 0.0;
    for [column, first, end] in &anomaly.mask {
        for i in *first..*end {
            let (x, y) = (f64::from(a[column * 368 + i] - 64) / truth.gain, f64::from(b[column * 368 + i] - 64) / truth.gain);
            estimate += ((x - y).powi(2) - x - y) / y.max(1.0);
        }
    }
    let ratio = estimate.max(0.0).sqrt() / anomaly.d_ideal;
    assert!((0.8..1.25).contains(&ratio), "estimated {} of {}", estimate.max(0.0).sqrt(), anomaly.d_ideal);
}

#[test]
fn a_train_that_stops_and_rolls_back_says_so() {
    let driving = Driving { stop: true, reverse: true, ..options(0).driving };
    let (_, truth, flags) = scan(Options { driving, locomotives: 1, shutter: true, ..options(31) });
    assert!(flags.iter().filter(|f| f.1).count() >= 50 && flags.iter().any(|f| f.2));
    assert!(flags[..100].iter().all(|f| !f.0) && flags.iter().filter(|f| f.0).count() > 500);
    assert_eq!(truth.cars.len(), 4);
}

#[test]
fn files_are_read_back_as_they_were_scanned() {
    let directory = tempfile::tempdir().unwrap();
    let asked = Options { cars: 1, anomaly_share: 1.0, source: Source::Dual, ..options(37) };
    let (counts, ..) = scan(asked.clone());
    let truth = write(asked, directory.path(), "T-37", "T", true).unwrap();
    let read = garita::rail::scan::Scan::open(&directory.path().join("T-37.tif")).unwrap();
    assert_eq!((read.detectors(), read.planes(), read.columns()), (368, 2, counts.len() / 368));
    assert_eq!(read.counts(0..read.columns()).unwrap(), counts);
    assert_eq!(read.name, "T-37.tif");
    let consist: serde_json::Value = serde_json::from_slice(&std::fs::read(directory.path().join("T-37.consist.json")).unwrap()).unwrap();
    assert_eq!(consist["cars"][0]["mark"], truth.cars[0].mark.as_str());
    assert_eq!(consist["cars"][0]["loaded"], !truth.cars[0].empty);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}
