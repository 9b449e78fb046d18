//! Model bundles and the tags they give.
