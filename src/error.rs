//! What went wrong: which file, camera or portal, where in it, whose fault, and what to do.

use std::fmt;

/// Whose fault an [`Error`] is; decides the exit code, the HTTP status and whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes are not what they claim to be: cut off, flipped, misdeclared. The sender must send again.
    Damaged,
    /// Sound, but of a kind that garita does not read.
    Unsupported,
    /// Over a stated limit (size, count, length).
    Limit,
    /// What was asked for makes no sense: a wrong option, a missing file, a bad setting.
    Caller,
    /// The machine failed: disk, memory, permission.
    Machine,
    /// ONNX Runtime or a model is missing, too old, or not what this version of garita expects.
    Model,
}

impl Fault {
    const ALL: [Fault; 6] = [Fault::Damaged, Fault::Unsupported, Fault::Limit, Fault::Caller, Fault::Machine, Fault::Model];

    /// Its name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Damaged => "damaged",
            Fault::Unsupported => "unsupported",
            Fault::Limit => "limit",
            Fault::Caller => "caller",
            Fault::Machine => "machine",
            Fault::Model => "model",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Fault> {
        Fault::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// One error, readable by the person who has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The file, camera, portal or setting at fault; empty where the caller adds it with [`Error::in_`].
    pub subject: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// What is wrong, where in the subject, and what to do.
    pub message: String,
}

/// `std::result::Result` with garita's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a subject yet.
    pub fn new(fault: Fault, message: impl Into<String>) -> Error {
        Error { subject: String::new(), fault, message: message.into() }
    }

    /// The same error, said of `subject` unless it already names one.
    #[must_use]
    pub fn in_(mut self, subject: impl fmt::Display) -> Error {
        if self.subject.is_empty() {
            self.subject = subject.to_string();
        }
        self
    }

    /// What the system says of a file operation, as garita says it.
    pub fn io(error: &std::io::Error) -> Error {
        let fault = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::IsADirectory => Fault::Caller,
            _ => Fault::Machine,
        };
        let text = error.to_string();
        // "(os error 2)" helps nobody who reads the sentence before it.
        Error::new(fault, text.split(" (os error").next().unwrap_or(&text))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subject.is_empty() { formatter.write_str(&self.message) } else { write!(formatter, "{}: {}", self.subject, self.message) }
    }
}
