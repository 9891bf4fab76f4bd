//! The launcher as a whole: real processes, real directories

mod build;
mod cluster;
mod command_line;
mod guard;
mod homes;
mod support;
