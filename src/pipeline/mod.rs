//! Pipeline file → plan → run → lock; thin stages that call the rooms below.
