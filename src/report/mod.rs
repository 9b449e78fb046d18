//! Plain structs to HTML, SVG, Markdown and JSON.
