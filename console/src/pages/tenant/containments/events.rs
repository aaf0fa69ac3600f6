//! The propagation meter as a stream of events (SSE): the state whenever something was recorded, until every node has
//! confirmed.
//!
//! Who may not see the page gets no stream, and whoever loses the session or the permission loses the stream with the
//! next event: both are asked anew each time. It is bounded: it ends after five minutes, the oldest of a session ends
//! when there are too many, and it never sends faster than somebody could read. It carries no message for the page and
//! does not keep a session alive.

use std::{convert::Infallible, pin::Pin, time::Duration};

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName},
    web::Bytes,
};
use console_islands::{END, Meter};
use contract::ids::ContainmentId;
use control_plane::{Caller, Via};
use futures::stream;
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep},
};

use super::meter::meter;
use crate::{fault::Fault, streams::Seat, visit::Visit};

/// Longest life of a stream. Whoever still looks then reloads the page.
const LONGEST: Duration = Duration::from_secs(300);
/// How often something is sent at least, so that whoever stands in between keeps the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Shortest time between two states: of a thousand nodes that confirm at once, a person sees a few steps.
const PAUSE: Duration = Duration::from_millis(100);
/// Tells nginx and its like not to collect the answer before passing it on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET containments/{id}/events`.
pub(in crate::pages::tenant) async fn events(visit: Visit) -> Result<HttpResponse, Fault> {
    let id: ContainmentId = visit.param("id")?;
    // Heard from here on, so that nothing falls between the first state and the second.
    let changes = visit.control_plane().containment_changes();
    let session = visit.session();
    let whose = (session.operator, session.created_at);
    let first = look(&visit, visit.caller(), id).await?;
    let streams = visit.console().streams();
    let seat = streams.join(whose, visit.tenant().id).ok_or_else(|| {
        Fault::Unavailable(
            "Too many people watch this tenant at once; reload the page instead.".to_owned(),
        )
    })?;
    let tail = Tail::new(visit, id, (first, seat), changes);
    let body = stream::unfold(tail, |mut tail| async move {
        let text = tail.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), tail))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Compressing would collect events too.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header((UNBUFFERED, "no"))
        .streaming(body))
}

/// What the page asks, and as whom.
async fn look(visit: &Visit, caller: &Caller, id: ContainmentId) -> Result<Meter, Fault> {
    let control_plane = visit.control_plane();
    let state = control_plane.get_containment(caller, visit.tenant().id, id);
    Ok(meter(&state.await?, visit.now()))
}

/// A stream under way.
struct Tail {
    visit: Visit,
    id: ContainmentId,
    /// What is to be said next.
    due: Option<Meter>,
    /// What was said last, without its moment.
    said: Option<Meter>,
    changes: watch::Receiver<u64>,
    seat: Seat,
    beat: Interval,
    end: Pin<Box<Sleep>>,
    is_over: bool,
}

/// What a stream waited for.
enum Woken {
    Over,
    Moved,
    Beat,
}

impl Tail {
    fn new(
        visit: Visit,
        id: ContainmentId,
        (first, seat): (Meter, Seat),
        changes: watch::Receiver<u64>,
    ) -> Self {
        let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            visit,
            id,
            due: Some(first),
            said: None,
            changes,
            seat,
            beat,
            end: Box::pin(sleep(LONGEST)),
            is_over: false,
        }
    }

    /// The next piece of the stream; `None` once it is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(text) = self.due.take().and_then(|due| self.say(due)) {
                return Some(text);
            }
            if self.said.as_ref().is_some_and(|said| said.complete) {
                return Some(self.end());
            }
            let woken = self.wait().await;
            if matches!(woken, Woken::Over) {
                return Some(self.end());
            }
            // Whoever may not look any more is told no more than that it is over.
            let Some(now) = self.look_again().await else {
                return Some(self.end());
            };
            match (self.say(now), woken) {
                (Some(text), _) => return Some(text),
                (None, Woken::Beat) => return Some(": still here\n\n".to_owned()),
                (None, _) => {}
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let woken = tokio::select! {
            () = &mut self.end => Woken::Over,
            () = self.seat.lost() => Woken::Over,
            moved = self.changes.changed() => match moved {
                Ok(()) => Woken::Moved,
                Err(_) => Woken::Over,
            },
            _ = self.beat.tick() => Woken::Beat,
        };
        if matches!(woken, Woken::Moved) {
            sleep(PAUSE).await;
            self.changes.mark_unchanged();
        }
        woken
    }

    /// What is so now, for whom the session stands now.
    async fn look_again(&self) -> Option<Meter> {
        let control_plane = self.visit.control_plane();
        let token = self.visit.secret().expose();
        if !control_plane.is_console_session_alive(token).await.ok()? {
            return None;
        }
        let subject = self.visit.session().subject;
        let request = self.visit.request_id();
        let caller = control_plane.caller_for_subject(subject, Via::Console, request);
        let caller = caller.await.ok()?;
        look(&self.visit, &caller, self.id).await.ok()
    }

    /// The event of a state, unless it says what was said already.
    fn say(&mut self, meter: Meter) -> Option<String> {
        let moment = meter.as_of.clone();
        let timeless = Meter {
            as_of: String::new(),
            ..meter
        };
        if self.said.as_ref() == Some(&timeless) {
            return None;
        }
        let dated = Meter {
            as_of: moment,
            ..timeless.clone()
        };
        self.said = Some(timeless);
        // JSON has no line breaks of its own, so one line of data carries it.
        let json = serde_json::to_string(&dated).expect("a meter has string keys");
        Some(format!("data: {json}\n\n"))
    }

    fn end(&mut self) -> String {
        self.is_over = true;
        format!("event: {END}\ndata: over\n\n")
    }
}
