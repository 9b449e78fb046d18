//! Files that others read, and files that earlier versions wrote.

mod store_v1;
