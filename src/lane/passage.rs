//! Many reads of one vehicle become one passage, once.
//!
//! Goal: one vehicle in front of the camera for ten frames is one passage with one text, better than any single read, and its evidence is the very
//! frame that the winning read came from.
//!
//! *Which reads belong together.* A read joins the track whose text it nearly repeats, wherever it is now (at two frames a second a vehicle jumps by
//! several plate widths); else the track whose last plate it lies on, unless both texts are sure and differ by more than misreads
//! explain: then one vehicle has followed another closely. A track takes one read per frame.
//!
//! *What they say together.* Reads are aligned to the likeliest text by their own posteriors, and each position's log-probabilities are added up,
//! weighted by the reads' confidence and tempered by the square root of their number: successive frames share their dirt, their angle and most of their blur, so ten reads are
//! worth about three independent ones. Each read keeps a floor under every character, so that none can veto.
//!
//! *When it is over.* When no read has joined for `gap_ms`, by [`Frame::clock_ms`], which never jumps (held at the latest seen, should it run backwards);
//! what camera and site call the time of day has no say in it. In a lane with triggers these say it ([`Passages::finish`]), and `gap_ms` is [`NO_TRIGGER_MS`].
//!
//! *After a restart.* Each track has a number that rises over a lane's life; whoever stores reads stores the track that each joined, and gives the reads of
//! tracks that had not settled back with [`Passages::resume`]: the vehicle in view goes on being one vehicle.
//!
//! Caveat: a vehicle that is never read (`text` empty in every frame) is no passage; [`Settled::unread`] names those tracks.

use crate::lane::detect::iou;
use crate::lane::frame::Frame;
use crate::lane::read::{Jurisdiction, PlateRead};
use crate::posterior::{MAX_POSITIONS, Position, Posterior, Text};

/// Reads kept of one vehicle: the surest. More were seen to add nothing once a dozen agree; a guess, unmeasured.
const MAX_READS: usize = 12;
/// The most vehicles in one lane's view at once; the longest unseen gives way.
const MAX_TRACKS: usize = 16;
/// A read has this much of its probability spread over all characters, so that no single one vetoes. A guess, unmeasured.
const FLOOR: f32 = 0.03;
/// What a missed character costs in the alignment, as a probability. A guess, unmeasured.
const MISSED: f32 = 0.01;
/// Plates whose centres are within this many plate widths lie in the same place. A guess, unmeasured.
const NEAR_WIDTHS: f32 = 1.5;

/// How long no read of a vehicle may come before its passage is over, milliseconds, unless the site says otherwise. A guess: at two frames a
/// second it bridges three frames without a read.
pub const GAP_MS: i64 = 2_000;

/// What `gap_ms` is in a lane where triggers end passages, milliseconds: a trigger that never comes must not keep a vehicle open for ever. A guess: no vehicle stands before a
/// camera for so long without a read.
pub const NO_TRIGGER_MS: i64 = 600_000;

/// Between two frames a plate's width changes by less than this factor, unless its text says that it is the same. A guess, checked on rendered sequences.
const MOST_GROWTH: f32 = 1.8;

/// One vehicle through one lane, settled once.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Index of the lane in its site.
    pub lane: usize,
    /// Its number in the lane: the one that [`Passages::observe`] gave its reads.
    pub track: u64,
    /// The voted text.
    pub text: Text,
    /// The voted posterior, one position per character of `text`.
    pub posterior: Posterior,
    /// Probability that `text` is exactly right, in 0..=1.
    pub confidence: f32,
    /// Whose plate, by vote; `None` where unknown.
    pub jurisdiction: Option<Jurisdiction>,
    /// How many reads joined, no-reads included.
    pub reads: u32,
    /// The surest read that says what the vote says (or, if none does, the surest).
    pub best: PlateRead,
    /// The very frame that `best` came from.
    pub evidence: Frame,
    /// Capture time of its first and last read, milliseconds since the Unix epoch.
    pub seen_ms: (i64, i64),
}

/// What is over.
#[derive(Debug, Default)]
pub struct Settled {
    /// Vehicles that have passed.
    pub passages: Vec<Passage>,
    /// Tracks that ended without a single character read.
    pub unread: Vec<u64>,
}

/// The passages of one lane.
pub struct Passages {
    gap_ms: i64,
    now_ms: i64,
    next_track: u64,
    tracks: Vec<Track>,
    spare: Vec<Track>,
}

struct Track {
    kept: Vec<(PlateRead, Frame)>,
    last: PlateRead,
    number: u64,
    reads: u32,
    /// By the frames' clock.
    last_ms: i64,
    /// As captured: first and last.
    seen_ms: (i64, i64),
    /// The last frame that it took a read from.
    sequence: u64,
}

impl Passages {
    /// For one lane; a passage is over when no read of it came for `gap_ms` milliseconds. Its tracks are numbered from `first_track`.
    pub fn new(gap_ms: i64, first_track: u64) -> Passages {
        Passages { gap_ms, now_ms: i64::MIN, next_track: first_track, tracks: Vec::with_capacity(MAX_TRACKS), spare: Vec::new() }
    }

    /// Takes the reads of the lane's next frame (also when there are none), says in `joined` the number of the track that each joined, and hands over
    /// what is over.
    pub fn observe(&mut self, frame: &Frame, reads: &[PlateRead], joined: &mut Vec<u64>, settled: &mut Settled) {
        joined.clear();
        self.now_ms = self.now_ms.max(frame.clock_ms);
        for read in reads {
            let index = self.track_of(read, frame.sequence).unwrap_or_else(|| {
                let number = self.next_track;
                self.open(number, read, frame, settled)
            });
            self.tracks[index].take(read, frame, self.now_ms);
            joined.push(self.tracks[index].number);
        }
        self.settle_old(settled);
    }

    /// No frame has come, and this is the time by the frames' clock: hands over what is over.
    pub fn quiet(&mut self, clock_ms: i64, settled: &mut Settled) {
        self.now_ms = self.now_ms.max(clock_ms);
        self.settle_old(settled);
    }

    /// Gives back a read of a track that had not settled before a restart, oldest first.
    pub fn resume(&mut self, track: u64, read: &PlateRead, frame: &Frame, settled: &mut Settled) {
        self.now_ms = self.now_ms.max(frame.clock_ms);
        let index = self.tracks.iter().position(|open| open.number == track).unwrap_or_else(|| self.open(track, read, frame, settled));
        self.tracks[index].take(read, frame, self.now_ms);
    }

    /// Hands over what is still open: the lane has ended, or a trigger says that the vehicle has left.
    pub fn finish(&mut self, settled: &mut Settled) {
        while !self.tracks.is_empty() {
            self.settle(0, settled);
        }
    }

    /// A new track; the longest unseen gives way where there are too many.
    fn open(&mut self, number: u64, read: &PlateRead, frame: &Frame, settled: &mut Settled) -> usize {
        if self.tracks.len() == MAX_TRACKS {
            let oldest = (0..MAX_TRACKS).min_by_key(|&index| self.tracks[index].last_ms).expect("MAX_TRACKS is not 0");
            self.settle(oldest, settled);
        }
        let mut track = self.spare.pop().unwrap_or_else(|| Track::new(read));
        (track.last, track.number, track.reads, track.seen_ms) = (*read, number, 0, (frame.captured_ms, frame.captured_ms));
        self.next_track = self.next_track.max(number + 1);
        self.tracks.push(track);
        self.tracks.len() - 1
    }

    fn settle_old(&mut self, settled: &mut Settled) {
        let mut index = 0;
        while index < self.tracks.len() {
            if self.now_ms - self.tracks[index].last_ms > self.gap_ms { self.settle(index, settled) } else { index += 1 }
        }
    }

    fn track_of(&self, read: &PlateRead, sequence: u64) -> Option<usize> {
        let open = || self.tracks.iter().enumerate().filter(move |(_, track)| track.sequence != sequence);
        open()
            .filter_map(|(index, track)| track.repeats(read).map(|edits| (edits, index)))
            .min()
            .or_else(|| open().filter(|(_, track)| track.lies_on(read) && !track.contradicts(read)).map(|(index, _)| (0, index)).next())
            .map(|(_, index)| index)
    }

    fn settle(&mut self, index: usize, settled: &mut Settled) {
        let mut track = self.tracks.swap_remove(index);
        match track.vote() {
            Some(passage) => settled.passages.push(passage),
            None => settled.unread.push(track.number),
        }
        track.kept.clear();
        self.spare.push(track);
    }
}

impl Track {
    fn new(read: &PlateRead) -> Track {
        Track { kept: Vec::with_capacity(MAX_READS), last: *read, number: 0, reads: 0, last_ms: 0, seen_ms: (0, 0), sequence: 0 }
    }

    fn take(&mut self, read: &PlateRead, frame: &Frame, now_ms: i64) {
        self.reads += 1;
        (self.last, self.last_ms, self.sequence) = (*read, now_ms, frame.sequence);
        self.seen_ms = (self.seen_ms.0.min(frame.captured_ms), self.seen_ms.1.max(frame.captured_ms));
        if self.kept.len() < MAX_READS {
            self.kept.push((*read, frame.clone()));
        } else if let Some(weakest) = self.kept.iter_mut().min_by(|a, b| a.0.confidence.total_cmp(&b.0.confidence))
            && weakest.0.confidence < read.confidence
        {
            *weakest = (*read, frame.clone());
        }
    }

    /// Edits to the nearest text read so far, where they are few enough for a misread of the same plate.
    fn repeats(&self, read: &PlateRead) -> Option<usize> {
        let edits = self.kept.iter().filter(|(kept, _)| !kept.text.is_empty()).map(|(kept, _)| kept.text.edits(&read.text)).min()?;
        let bearable = if read.text.len() >= 6 { 2 } else { usize::from(read.text.len() >= 4) };
        (edits <= bearable).then_some(edits)
    }

    fn lies_on(&self, read: &PlateRead) -> bool {
        let (a, b) = (&self.last.plate, &read.plate);
        let centre = |hull: [f32; 4]| [(hull[0] + hull[2]) / 2.0, (hull[1] + hull[3]) / 2.0];
        let (from, to) = (centre(a.hull()), centre(b.hull()));
        let (narrow, width) = (a.plate_width().min(b.plate_width()), a.plate_width().max(b.plate_width()));
        // A plate that has shrunk or grown so much from one frame to the next is another one: the next vehicle, further away.
        if width > MOST_GROWTH * narrow {
            return false;
        }
        iou(a, b) > 0.0 || (from[0] - to[0]).hypot(from[1] - to[1]) < NEAR_WIDTHS * width
    }

    /// True where both are surely read, and differ by more than misreads explain.
    fn contradicts(&self, read: &PlateRead) -> bool {
        let surest = self.surest();
        surest.confidence > 0.5 && read.confidence > 0.5 && 2 * surest.text.edits(&read.text) > surest.text.len()
    }

    fn surest(&self) -> &PlateRead {
        self.kept.iter().map(|(read, _)| read).max_by(|a, b| a.confidence.total_cmp(&b.confidence)).unwrap_or(&self.last)
    }

    /// What all reads say together; `None` if no read has a character.
    fn vote(&self) -> Option<Passage> {
        let read = self.kept.iter().filter(|(read, _)| !read.text.is_empty());
        // The text that all reads together find most probable, among those read.
        let likelihood = |text: &Text| read.clone().map(|(read, _)| say(read) * align(text, &read.posterior, None)).sum::<f32>();
        let start = read.clone().map(|(read, _)| read.text).max_by(|a, b| likelihood(a).total_cmp(&likelihood(b)))?;
        let (text, posterior, confidence) = combine(&start, read.clone().map(|(read, _)| read));
        let (best, evidence) = read.clone().max_by(|a, b| {
            let rank = |read: &PlateRead| (read.text == text, read.confidence);
            let ((a_same, a_sure), (b_same, b_sure)) = (rank(&a.0), rank(&b.0));
            a_same.cmp(&b_same).then(a_sure.total_cmp(&b_sure))
        })?;
        Some(Passage {
            lane: evidence.lane,
            track: self.number,
            text,
            posterior,
            confidence: confidence.min(agreement(&text, read.clone().map(|(read, _)| read))),
            jurisdiction: vote_jurisdiction(read.map(|(read, _)| read)),
            reads: self.reads,
            best: *best,
            evidence: evidence.clone(),
            seen_ms: self.seen_ms,
        })
    }
}

/// Adds up the reads' posteriors position by position, aligned to `start`: text, posterior and probability of the text.
fn combine<'reads>(start: &Text, reads: impl Iterator<Item = &'reads PlateRead> + Clone) -> (Text, Posterior, f32) {
    let total = reads.clone().map(|read| say(read) * say(read)).sum::<f32>().sqrt();
    let mut logs = [[0.0f32; 37]; MAX_POSITIONS];
    let mut matched = [None; MAX_POSITIONS];
    for read in reads {
        let weight = say(read) / total;
        align(start, &read.posterior, Some(&mut matched));
        for (total, matched) in logs.iter_mut().zip(matched).take(start.len()) {
            let position = matched.map(|index: usize| read.posterior.positions()[index]);
            for (class, log) in total.iter_mut().enumerate() {
                let probability = match (&position, class) {
                    (Some(position), 36) => position.absent,
                    (Some(position), _) => (1.0 - position.absent) * position.characters[class],
                    (None, 36) => 1.0 - MISSED,
                    (None, _) => MISSED / 36.0,
                };
                *log += weight * ((1.0 - FLOOR) * probability + FLOOR / 37.0).ln();
            }
        }
    }
    let (mut text, mut posterior, mut confidence) = (Text::default(), Posterior::default(), 1.0);
    for logs in &logs[..start.len()] {
        let most = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights = logs.map(|log| (log - most).exp());
        let total: f32 = weights.iter().sum();
        let absent = weights[36] / total;
        let present: f32 = weights[..36].iter().sum();
        let (class, &weight) = weights[..36].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("36 characters");
        if absent > 0.5 {
            confidence *= absent;
            continue;
        }
        text.push(class);
        posterior.push(Position { characters: std::array::from_fn(|class| weights[class] / present), absent });
        confidence *= weight / total;
    }
    (text, posterior, confidence)
}

/// A jurisdiction less probable than this is not named: as the reader does with one look (`jurisdiction_threshold`).
const NAMED: f32 = 0.5;

/// How much a read has to say in the vote: its confidence, so that many frames from afar do not outvote a sure one; a little in any case.
fn say(read: &PlateRead) -> f32 {
    read.confidence.max(0.01)
}

/// How sure the reads that say `text` make it: that not all of their calibrated confidences are wrong, tempered as in [`combine`]; 1 where none says it, so
/// that the vote alone counts.
fn agreement<'reads>(text: &Text, reads: impl Iterator<Item = &'reads PlateRead>) -> f32 {
    let (mut doubt, mut count) = (0.0, 0);
    for read in reads.filter(|read| read.text == *text) {
        doubt += (1.0 - read.confidence).max(1e-6).ln();
        count += 1;
    }
    if count == 0 { 1.0 } else { 1.0 - (doubt / (count as f32).sqrt()).exp() }
}

/// Log-probability of `text` given what one read saw, by the best alignment; `matched` gets, for each character, the position that it fell on.
fn align(text: &Text, posterior: &Posterior, matched: Option<&mut [Option<usize>; MAX_POSITIONS]>) -> f32 {
    let positions = posterior.positions();
    let floored = |probability: f32| ((1.0 - FLOOR) * probability + FLOOR / 37.0).ln();
    let mut best = [[f32::NEG_INFINITY; MAX_POSITIONS + 1]; MAX_POSITIONS + 1];
    let symbols = {
        let mut symbols = [0; MAX_POSITIONS];
        symbols.iter_mut().zip(text.symbols()).for_each(|(slot, symbol)| *slot = symbol);
        symbols
    };
    let hit = |character: usize, at: usize| floored((1.0 - positions[at].absent) * positions[at].characters[symbols[character]]);
    let skip = |at: usize| floored(positions[at].absent);
    best[0][0] = 0.0;
    for done in 0..=text.len() {
        for at in 0..=positions.len() {
            let mut value = best[done][at];
            if at > 0 {
                value = value.max(best[done][at - 1] + skip(at - 1));
            }
            if done > 0 {
                value = value.max(best[done - 1][at] + MISSED.ln());
            }
            if done > 0 && at > 0 {
                value = value.max(best[done - 1][at - 1] + hit(done - 1, at - 1));
            }
            best[done][at] = value;
        }
    }
    if let Some(matched) = matched {
        *matched = [None; MAX_POSITIONS];
        let (mut done, mut at) = (text.len(), positions.len());
        while done > 0 {
            if at > 0 && best[done][at] == best[done - 1][at - 1] + hit(done - 1, at - 1) {
                (done, at) = (done - 1, at - 1);
                matched[done] = Some(at);
            } else if at > 0 && best[done][at] == best[done][at - 1] + skip(at - 1) {
                at -= 1;
            } else {
                done -= 1;
            }
        }
    }
    best[text.len()][positions.len()]
}

/// The jurisdiction that the reads are for, each with as much to say as in the vote of the text: the mean of what they give it, a read that does not know giving
/// nothing. `None` where that is less than [`NAMED`].
fn vote_jurisdiction<'reads>(reads: impl Iterator<Item = &'reads PlateRead> + Clone) -> Option<Jurisdiction> {
    let total: f32 = reads.clone().map(say).sum();
    let said = reads.filter_map(|read| read.jurisdiction.map(|one| (one.code, say(read) * one.confidence)));
    let of = |code| said.clone().filter(|one| one.0 == code).map(|one| one.1).sum::<f32>() / total;
    let (code, _) = said.clone().max_by(|a, b| of(a.0).total_cmp(&of(b.0)))?;
    let confidence = of(code).min(1.0);
    (confidence >= NAMED).then_some(Jurisdiction { code, confidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Bytes;
    use crate::lane::detect::PlateBox;
    use crate::lane::read::Code;

    fn read(text: &str, x: f32, confidence: f32) -> PlateRead {
        let plate = PlateBox { corners: [[x, 0.0], [x + 100.0, 0.0], [x + 100.0, 50.0], [x, 50.0]], score: 0.9 };
        let posterior = Posterior::certain(text, 0.1).expect("a plate's text");
        PlateRead {
            plate,
            text: Text::of(text).expect("a plate's text"),
            posterior,
            probability: confidence,
            confidence,
            looked_again: false,
            jurisdiction: None,
        }
    }

    #[test]
    fn a_jurisdiction_is_named_by_reads_that_are_sure() {
        let of = |text: &str, confidence: f32, jurisdiction: Option<(&str, f32)>| {
            let jurisdiction = jurisdiction.map(|(code, confidence)| Jurisdiction { code: Code::of(code).expect("a code"), confidence });
            PlateRead { jurisdiction, ..read(text, 0.0, confidence) }
        };
        let vote = |reads: &[PlateRead]| vote_jurisdiction(reads.iter()).map(|named| (named.code.as_str().to_owned(), named.confidence));
        // One glimpse that was hardly read does not speak for seven sure reads that do not know.
        let mut reads = vec![of("XPX802H", 0.9, None); 7];
        reads.push(of("5", 0.002, Some(("other", 0.993))));
        assert_eq!(vote(&reads), None);
        // The sure read counts, not the one that is surest of the jurisdiction alone.
        let (code, confidence) = vote(&[of("KTE0327", 0.83, Some(("US-NC", 0.64))), of("KIE0327", 0.08, Some(("other", 0.7)))]).expect("named");
        assert!(code == "US-NC" && (0.5..0.64).contains(&confidence), "{code} {confidence}");
        assert_eq!(vote(&[]), None);
    }

    fn frame(sequence: u64) -> Frame {
        Frame {
            lane: 3,
            sequence,
            captured_ms: 1_000 + 100 * sequence as i64,
            clock_ms: 100 * sequence as i64,
            skipped: 0,
            encoded: Bytes::from(vec![sequence as u8 + 1]),
        }
    }

    fn check(frames: &[&[PlateRead]], texts: &[&str]) -> Vec<Passage> {
        let mut passages = Passages::new(1_000, 0);
        let mut settled = Settled::default();
        let mut joined = Vec::new();
        for (sequence, reads) in frames.iter().enumerate() {
            passages.observe(&frame(sequence as u64), reads, &mut joined, &mut settled);
        }
        passages.finish(&mut settled);
        let settled = settled.passages;
        let mut found: Vec<_> = settled.iter().map(|passage| passage.text.to_string()).collect();
        found.sort();
        assert_eq!(found, texts);
        settled
    }

    #[test]
    fn reads_of_one_vehicle_are_one_passage_and_the_vote_beats_each() {
        let settled = check(
            &[
                &[read("8ABC123", 0.0, 0.4)],
                &[read("BABC128", 20.0, 0.3)],
                &[read("8ABC128", 40.0, 0.2)],
                &[read("8A8C123", 60.0, 0.5)],
                &[read("8ABC123", 90.0, 0.6)],
            ],
            &["8ABC123"],
        );
        assert_eq!((settled[0].reads, settled[0].evidence.sequence), (5, 4));
    }

    #[test]
    fn a_missed_and_a_doubled_character_are_outvoted() {
        check(&[&[read("ABC123", 0.0, 0.5)], &[read("AB123", 0.0, 0.3)], &[read("ABBC123", 0.0, 0.3)], &[read("ABC123", 0.0, 0.4)]], &["ABC123"]);
    }

    #[test]
    fn a_close_follower_is_another_passage() {
        check(&[&[read("ABC123", 0.0, 0.9)], &[read("XYZ987", 0.0, 0.9)], &[read("XYZ987", 10.0, 0.9)]], &["ABC123", "XYZ987"]);
    }

    #[test]
    fn two_plates_in_view_are_two_passages() {
        let both = [read("ABC123", 0.0, 0.9), read("ABC124", 500.0, 0.9)];
        check(&[&both, &both, &both], &["ABC123", "ABC124"]);
    }

    #[test]
    fn a_jumping_time_of_day_neither_splits_nor_holds() {
        let mut passages = Passages::new(1_000, 0);
        let (mut settled, mut joined) = (Settled::default(), Vec::new());
        let day_ms = 24 * 3_600_000;
        for (sequence, captured_ms) in [(0, day_ms), (1, 0), (2, 2 * day_ms)] {
            passages.observe(&Frame { captured_ms, ..frame(sequence) }, &[read("ABC123", 0.0, 0.9)], &mut joined, &mut settled);
        }
        passages.quiet(1_100, &mut settled);
        assert!(settled.passages.is_empty());
        passages.quiet(1_201, &mut settled);
        assert_eq!((settled.passages.len(), settled.passages[0].reads, settled.passages[0].seen_ms), (1, 3, (0, 2 * day_ms)));
    }

    #[test]
    fn a_vehicle_in_view_during_a_restart_stays_one() {
        let (mut settled, mut joined) = (Settled::default(), Vec::new());
        let mut before = Passages::new(1_000, 7);
        before.observe(&frame(0), &[read("ABC123", 0.0, 0.9)], &mut joined, &mut settled);
        assert_eq!(joined, [7]);
        let mut after = Passages::new(1_000, 8);
        after.resume(7, &read("ABC123", 0.0, 0.9), &Frame { clock_ms: 0, ..frame(0) }, &mut settled);
        after.observe(&Frame { clock_ms: 500, ..frame(1) }, &[read("ABC123", 10.0, 0.9), read("XYZ987", 600.0, 0.9)], &mut joined, &mut settled);
        assert_eq!(joined, [7, 8]);
        after.finish(&mut settled);
        assert_eq!(settled.passages.iter().map(|passage| (passage.track, passage.reads)).collect::<Vec<_>>(), [(7, 2), (8, 1)]);
    }

    #[test]
    fn a_no_read_is_counted() {
        let mut passages = Passages::new(1_000, 0);
        let mut settled = Settled::default();
        let mut joined = Vec::new();
        passages.observe(&frame(0), &[read("", 0.0, 0.0)], &mut joined, &mut settled);
        passages.finish(&mut settled);
        assert_eq!((settled.passages.len(), settled.unread), (0, vec![0]));
    }
}
