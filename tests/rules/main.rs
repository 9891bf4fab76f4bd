//! Every rule of the state machine by itself: each refusal, and each limit below it, at it and above it.

mod boards;
mod charter;
mod clock;
mod closing;
mod codes;
mod complaining;
mod entries;
mod evidence;
mod last_call;
mod leaving;
mod opening;
mod retention;
