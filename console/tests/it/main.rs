//! The console over HTTP, without a browser and without a node: who gets in, what they see, what a form does.

mod access;
mod harness;
mod pages;
