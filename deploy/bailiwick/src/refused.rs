//! A refusal of the control plane as the end of a process.

use control_plane::Refusal;
use data_plane::process::Failure;

/// For `map_err`: `what` was refused. The operator of the process may read what a caller may not: the
/// cause of an internal failure.
pub(crate) fn refused(what: &'static str) -> impl FnOnce(Refusal) -> Failure {
    move |refusal| match refusal {
        Refusal::Internal(source) => Failure::new(what, causes(source.as_ref())),
        other => Failure::new(what, other),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
