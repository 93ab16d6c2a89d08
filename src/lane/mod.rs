//! One camera's line: frame → plate box → read → passage.
//!
//! | file | turns | into |
//! |---|---|---|
//! | [`frame`] | the bytes that a camera sent | luma pixels, or why not |
//! | [`detect`] | pixels | plate boxes: four corners and a score |
//! | [`refine`] | a plate box | whether it is one, and its exact corners |
//! | [`rectify`] | a plate box | the reader's input, straightened |
//! | [`read`] | that input | a text with its posterior, confidence and jurisdiction |
//! | [`formats`] | a text and its posterior | the same, with what is known of formats weighed in |
//! | [`passage`] | reads of successive frames | one vehicle, once |
//! | [`hit`] | a read or passage | the watchlist's entries that it meets |
//! | [`opinion`] | a camera's own text and ours | whether they agree, and where not |
//!
//! Nothing here reads a clock or writes a file: time arrives with the frame, results leave as values.

pub mod ctc;
pub mod detect;
pub mod formats;
pub mod frame;
pub mod hit;
pub mod line;
pub mod opinion;
pub mod passage;
pub mod read;
pub mod rectify;
pub mod refine;
