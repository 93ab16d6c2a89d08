//! The anomaly network on the golden train: it loads, answers for every block of a car and for nothing else, and a second run answers the same.

use garita::infer::Engine;
use garita::rail::anomaly::Anomaly;
use garita::rail::calibrate::Calibration;
use garita::rail::car::CarImage;
use garita::rail::expect::Coarse;
use garita::rail::scan::Scan;
use garita::rail::segment::Segmenter;

#[test]
fn it_looks_at_the_golden_train() {
    let scan = Scan::open(std::path::Path::new("testdata/rail/G-3.tif")).unwrap();
    let mut calibration = Calibration::begin(&scan).unwrap();
    let mut segmenter = Segmenter::new(&scan, &calibration);
    let cars = segmenter.advance(&scan, &mut calibration, scan.columns(), true).unwrap();
    assert_eq!(cars.len(), 3, "{cars:?}");
    let mut anomaly = Anomaly::open(&Engine::load().unwrap()).unwrap();
    for car in &cars {
        let image = CarImage::new(&scan, &calibration, car).unwrap();
        let coarse = Coarse::of(&image);
        let unexplained = coarse.unexplained();
        let heat = anomaly.heat(&coarse, &unexplained).unwrap();
        assert_eq!((heat.width, heat.height), (image.width / 2, 92));
        assert!(heat.logits.iter().all(|l| l.is_finite()));
        // Above the car there is nothing to answer for.
        assert!(heat.logits[..heat.width].iter().all(|l| *l <= -19.0));
        let again = anomaly.heat(&coarse, &unexplained).unwrap();
        assert_eq!(heat.logits, again.logits);
        for suspect in anomaly.suspects(&image, &coarse, &unexplained).unwrap() {
            assert!(suspect.x.end <= image.width && suspect.y.end <= image.height && suspect.score > 0.0);
        }
    }
}
