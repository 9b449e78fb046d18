//! Network architectures on candle, the devices they run on, and where their weights come from.
