//! The ground floor: what every room may use and that knows no film, file format or network.
//!
//! Errors live in the rooms; what they share is [`Hinted`]: a message says what is wrong, the hint
//! says how to mend it, the kind says whose fault it is.

pub mod device;
pub mod digest;
pub mod file;
pub mod guard;
pub mod hinted;
pub mod id;
pub mod interrupt;
pub mod json;
pub mod memory;
pub mod nearest;
pub mod output;
pub mod progress;
pub mod publish;
pub mod replace;
pub mod seed;
pub mod words;

pub use device::DeviceChoice;
pub use digest::{Digest, DigestBuilder, Fingerprint};
pub use hinted::{ErrorKind, Hinted};
pub use id::{GenreId, TitleId};
pub use interrupt::{Interrupt, Interrupted};
pub use output::{Claim, FolderClaim, OutputError, OutputFile, Outputs};
pub use progress::{NoProgress, Progress};
pub use publish::{Draft, publish_bytes, publish_file};
pub use replace::{own_like_folder, replace_bytes};
pub use seed::Seed;
