//! Files that others read, and files that earlier versions wrote.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod store_v1;
