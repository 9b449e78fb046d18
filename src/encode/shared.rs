//! Networks that several encoders look through, now or after a reload, are loaded once.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use nn::OnDemand;

/// Networks in use, by what their numbers depend on: the digest of their weights, precision, device
/// and whatever else. Clones share; a network that no encoder has any more is let go.
#[derive(Clone, Default)]
pub struct SharedNetworks(Arc<Mutex<HashMap<String, Weak<dyn Any + Send + Sync>>>>);

impl SharedNetworks {
    /// The network of this key; where nobody has it, what `new` gives.
    ///
    /// # Errors
    /// As `new`.
    pub(super) fn get<T: Send + Sync + 'static, E>(
        &self,
        key: String,
        new: impl FnOnce() -> Result<OnDemand<T>, E>,
    ) -> Result<Arc<OnDemand<T>>, E> {
        let known = self.lock().get(&key).and_then(Weak::upgrade);
        if let Some(network) = known.and_then(|network| network.downcast().ok()) {
            return Ok(network);
        }
        let network = Arc::new(new()?);
        let mut known = self.lock();
        known.retain(|_, network| network.strong_count() > 0);
        let weak: Weak<OnDemand<T>> = Arc::downgrade(&network);
        known.insert(key, weak);
        Ok(network)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Weak<dyn Any + Send + Sync>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedNetworks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedNetworks").field("num_in_use", &self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_network_is_shared_for_as_long_as_somebody_has_it() {
        let shared = SharedNetworks::default();
        let get = |key: &str, number: u32| {
            let new = || Ok::<_, Infallible>(OnDemand::from(Arc::new(number)));
            let Ok(network) = shared.clone().get(key.to_owned(), new);
            network
        };
        let first = get("a", 1);
        assert_eq!(*get("a", 2).get().unwrap(), 1, "who comes later has the same");
        assert_eq!(*get("b", 3).get().unwrap(), 3);
        drop(first);
        assert_eq!(*get("a", 4).get().unwrap(), 4, "nobody had it any more");
        let failing = shared.get::<u32, _>("c".to_owned(), || Err("no weights"));
        assert_eq!(failing.err(), Some("no weights"));
    }
}
