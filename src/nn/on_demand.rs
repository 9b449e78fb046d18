//! A network that is loaded when somebody first needs it.
//!
//! What a network's numbers depend on is known without its weights: who only reads features that
//! are in the store never waits for a network, and needs no weights.

use std::sync::{Arc, Mutex, PoisonError};

use super::NnError;

/// A network, or how to load it; `get` may be called from many threads.
pub struct OnDemand<T> {
    load: Box<dyn Fn() -> Result<T, NnError> + Send + Sync>,
    loaded: Mutex<Option<Arc<T>>>,
}

impl<T> OnDemand<T> {
    /// One that `load` gives; not called yet.
    #[must_use]
    pub fn new(load: impl Fn() -> Result<T, NnError> + Send + Sync + 'static) -> Self {
        Self { load: Box::new(load), loaded: Mutex::default() }
    }

    /// The network; loads it where nobody has yet. Who needs it too meanwhile waits.
    ///
    /// # Errors
    /// As the loader's; nothing is kept of a failure, so whoever asks next tries again.
    pub fn get(&self) -> Result<Arc<T>, NnError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = &*loaded {
            return Ok(Arc::clone(network));
        }
        let network = Arc::new((self.load)()?);
        *loaded = Some(Arc::clone(&network));
        Ok(network)
    }
}

impl<T> From<Arc<T>> for OnDemand<T> {
    /// One that is loaded already.
    fn from(network: Arc<T>) -> Self {
        let load = || Err(NnError::Input("a loaded network is not loaded again".to_owned()));
        Self { load: Box::new(load), loaded: Mutex::new(Some(network)) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn it_is_loaded_once_by_whoever_asks_first() {
        let num_loads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&num_loads);
        let network = OnDemand::new(move || Ok(counted.fetch_add(1, Ordering::SeqCst)));
        assert_eq!(num_loads.load(Ordering::SeqCst), 0, "nobody has asked");
        thread::scope(|scope| {
            let ask = || scope.spawn(|| *network.get().unwrap());
            let asked: Vec<_> = (0..8).map(|_| ask()).collect();
            assert!(asked.into_iter().all(|thread| thread.join().unwrap() == 0));
        });
        assert_eq!(num_loads.load(Ordering::SeqCst), 1);
        assert_eq!(*OnDemand::from(Arc::new(7)).get().unwrap(), 7);
    }

    #[test]
    fn what_failed_is_tried_again() {
        let num_tries = AtomicUsize::new(0);
        let network = OnDemand::new(move || match num_tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(NnError::Input("not yet".to_owned())),
            tries => Ok(tries),
        });
        assert_eq!(network.get().unwrap_err().to_string(), "not yet");
        assert_eq!(*network.get().unwrap(), 1);
        assert_eq!(*network.get().unwrap(), 1, "and kept");
    }
}
