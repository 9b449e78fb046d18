//! Inner loops for the processor, chosen at run time by what it can do.

mod isa;

pub use isa::Isa;
