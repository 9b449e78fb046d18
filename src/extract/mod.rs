//! Encoders over a catalog into the store: decode workers, bounded queues, resume, failures.
