//! A scan as a portal sends it while the train passes: any bytes, any cut.

use garita::rail::scan::stream::Head;
use garita::rail::scan::{Column, Scan};
use garita::rail::waybill::Manifest;
use proptest::prelude::*;

const LINE: &str = "{\"schema\":\"rail-scan/1\",\"detectors\":5,\"train\":\"T\",\"dark\":64,\"first_detector\":\"bottom\"}\n";

fn column(number: usize) -> (Vec<u16>, Column) {
    let counts = (0..5).map(|detector| (number * 10 + detector) as u16).collect();
    (counts, Column { t_s: number as f64, v_m_s: 1.5, ref_dose: 1.0, flags: u32::from(number == 2) })
}

fn stream(columns: usize) -> Vec<u8> {
    let mut bytes = LINE.as_bytes().to_vec();
    for number in 0..columns {
        let (counts, row) = column(number);
        bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        bytes.extend(row.to_bytes());
    }
    bytes
}

proptest! {
    #[test]
    fn a_stream_cut_anywhere_has_its_whole_columns(columns in 0usize..20, cut in 0usize..1000) {
        let (whole, folder) = (stream(columns), tempfile::tempdir().expect("a folder"));
        let kept = whole.len().saturating_sub(cut);
        let path = folder.path().join("train.stream");
        std::fs::write(&path, &whole[..kept]).expect("written");
        let Ok(scan) = Scan::open(&path) else {
            prop_assert!(kept < LINE.len());
            return Ok(());
        };
        prop_assert_eq!(scan.columns(), (kept - LINE.len()) / (5 * 2 + 32));
        prop_assert_eq!(scan.fields.dark.as_slice(), &[64.0f32; 5]);
        for number in 0..scan.columns() {
            let (mut counts, row) = column(number);
            counts.reverse();
            prop_assert_eq!(scan.counts(number..number + 1).expect("there").into_owned(), counts);
            prop_assert_eq!(scan.column(number), row);
        }
        // It grows under the reader, by what comes after the cut.
        std::fs::write(&path, &whole).expect("written");
        prop_assert_eq!(scan.columns(), columns);
    }

    #[test]
    fn any_beginning_is_a_head_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Head::parse(&bytes);
        let _ = Head::parse(&[LINE.as_bytes(), &bytes].concat()).expect("the line is right").expect("and whole");
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn any_change_of_a_line_is_a_head_or_an_error(at in 0usize..80, byte in any::<u8>()) {
        let mut bytes = LINE.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(Some(head)) = Head::parse(&bytes) {
            prop_assert!((1..=16_384).contains(&head.detectors));
        }
    }
}
