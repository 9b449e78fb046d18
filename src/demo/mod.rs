//! Renders the demo library: synthetic trailers, posters and plots, made on the user's machine.
