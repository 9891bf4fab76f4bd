//! What a journal doesn't allow.
