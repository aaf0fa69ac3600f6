//! Which release a request is answered by, for whoever counts it.
//!
//! The tenant is found deep inside, and a handler that panics takes everything it knew with it. So what was found
//! is left on the thread while the request is worked on, and taken from there each time that it rests: requests
//! that take turns on a thread never see each other's.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
};

use crate::releases::TenantRuntime;

thread_local! {
    static FOUND: RefCell<Option<Arc<TenantRuntime>>> = const { RefCell::new(None) };
}

/// Says which release answers the request that is worked on.
pub(super) fn found(runtime: &Arc<TenantRuntime>) {
    FOUND.set(Some(Arc::clone(runtime)));
}

/// Works on a request, and tells which release answered it if one was found.
pub(super) async fn served<T>(request: impl Future<Output = T>) -> (T, Option<Arc<TenantRuntime>>) {
    let mut request = pin!(request);
    let mut runtime = None;
    let answer = poll_fn(|context| {
        let outer = FOUND.replace(runtime.take());
        let polled = request.as_mut().poll(context);
        runtime = FOUND.replace(outer);
        polled
    });
    let answer = answer.await;
    (answer, runtime)
}
