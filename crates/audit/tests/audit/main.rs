//! The log as others use it: on a file system, on a disk that fails, in processes that are killed.
#![forbid(unsafe_code)]

mod crash;
mod evidence;
mod faults;
mod follow;
mod injected;
mod life;
mod support;
