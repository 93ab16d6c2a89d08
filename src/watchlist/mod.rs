//! Who is sought: watchlists of plates, reporting marks and containers, imported, indexed, and searched with what the reader saw.
//!
//! | file | is |
//! |---|---|
//! | [`entry`], `codes` | an entry, its list, its jurisdiction; what codes must look like |
//! | [`text`] | texts normalised, packed, folded by what readers confuse |
//! | [`import`], [`mapping`], `header`, `records`, `encoding` | files of others become entries |
//! | [`build`], `tables`, `format` | entries become an index file, in bounded memory |
//! | [`update`] | a file imported into an index, or nothing; what differs between two |
//! | [`index`] | the file, mapped and searched in place |
//! | [`snapshot`] | the index and what was changed by hand, swapped whole |
//! | [`find`] | which entries made this picture, and how probable that is |
//! | `share` | what entries of one text have of its probability |
//! | [`pattern`] | wildcards and partial plates |
//! | [`reads`] | files of reads, for look-back and advice |
//! | [`advise`] | false hits a day by threshold |
//! | [`fit`] | the reader's model, from reads whose truth is known |
//!
//! [`load`] takes an index or a plain CSV file. A lane's worker keeps a [`Finder`] and asks it for each read:
//!
//! ```
//! use garita::posterior::Posterior;
//! use garita::watchlist::{Entry, Finder, Key, Match, Query, Snapshot, Watchlist};
//!
//! let entry = Entry { text: "7ABC-123".into(), list: "stolen".into(), ..Entry::default() };
//! let watchlist = Watchlist::new(Snapshot::of_entries(&[entry], &[])?);
//!
//! let (mut finder, mut matches) = (Finder::default(), Vec::new());
//! let posterior = Posterior::certain("7A8C123", 0.02).unwrap();
//! let snapshot = watchlist.load();
//! let query = Query::new(&posterior, Key::of("7A8C123").unwrap(), None, jiff::Timestamp::now());
//! // Equivalent texts too, however improbable.
//! finder.find(&snapshot, &Query { edits: Some(0), ..query }, &mut matches);
//! assert_eq!(snapshot.entry(matches[0].entry)?.identity(), "stolen/-/7ABC123");
//! # Ok::<(), garita::error::Error>(())
//! ```

pub mod advise;
pub mod build;
pub(crate) mod codes;
pub mod encoding;
pub mod entry;
pub mod find;
pub mod fit;
mod format;
mod header;
pub mod import;
pub mod index;
pub mod mapping;
pub mod pattern;
pub mod reads;
mod records;
pub(crate) mod share;
pub mod snapshot;
mod tables;
pub mod text;
pub mod update;

pub use build::{Builder, Built};
pub use entry::{Entry, Jurisdiction, List, Mode, Subject};
pub use find::{Finder, Match, MatchClass, Query, ReaderModel, absent};
pub use index::Index;
pub use mapping::Mapping;
pub use pattern::Pattern;
pub use snapshot::{Handle, Snapshot, Watchlist, load, load_index, load_index_gently, open_index};
pub use text::{Key, normalise};
