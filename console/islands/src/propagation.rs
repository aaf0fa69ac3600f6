//! How far a containment got: a meter and its nodes, kept up to date by events while some node is still missing.
//!
//! All words are the server's, with the page and with each event: here is only where they stand. Without scripts the
//! page shows what was so when it was asked for, and reloading shows more. The stream of events ends by itself; what
//! is shown then stays true as of its moment and says so.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent};

/// Event with which the server says that nothing more will come.
pub const END: &str = "end";

/// How far a containment got, in finished words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Class name of the tone: `ok`, `warn`, `bad`, `info`.
    pub tone: String,
    /// The state in a word.
    pub state: String,
    /// `Effective on 3 of 3 nodes, 12 ms`.
    pub words: String,
    /// The figures behind it; may be empty.
    pub detail: String,
    /// Nodes that confirmed.
    pub confirmed: u32,
    /// Nodes.
    pub nodes: u32,
    /// Whether every node confirmed: nothing more is to come.
    pub complete: bool,
    /// The nodes, those first that have not confirmed.
    pub lines: Vec<Line>,
    /// What is said of nodes that have no line; may be empty.
    pub rest: String,
    /// What is still exposed, a sentence each.
    pub exposure: Vec<String>,
    /// When this was so.
    pub as_of: String,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Class name of the tone.
    pub tone: String,
    /// Its state in a word.
    pub state: String,
    /// After how long it confirmed, or since when it is silent, or why it refuses.
    pub after: String,
    /// What real requests to its door were answered.
    pub probe: String,
}

/// The meter, its nodes and what is exposed.
#[island]
pub fn Propagation(
    /// Where events come from.
    events: String,
    /// The page, for whoever has no scripts.
    page: String,
    /// What is so now.
    meter: Meter,
) -> impl IntoView {
    let shown = RwSignal::new(meter);
    let listening = RwSignal::new(false);
    Effect::new(move |_| {
        if !shown.with_untracked(|meter| meter.complete) {
            listen(&events, shown, listening);
        }
    });
    view! {
        <div class="propagation">
            {head(shown)}
            <p class="pad propagation-live">
                <span>"As of "{move || shown.with(|meter| meter.as_of.clone())}". "</span>
                {move || further(shown, listening, page.clone())}
            </p>
            {table(shown)}
            <div class="pad propagation-left">
                <h3>"Still exposed"</h3>
                <ul>
                    {move || {
                        let sentences = shown.with(|meter| meter.exposure.clone());
                        sentences.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()
                    }}
                </ul>
            </div>
        </div>
    }
}

fn head(shown: RwSignal<Meter>) -> AnyView {
    let of = move |part: fn(&Meter) -> String| shown.with(part);
    view! {
        <div class="pad">
            <p class="propagation-words">
                <span class=move || format!("pill {}", of(|meter| meter.tone.clone()))>
                    {move || of(|meter| meter.state.clone())}
                </span>
                <b role="status">{move || of(|meter| meter.words.clone())}</b>
            </p>
            <meter class="meter" aria-label="Nodes that confirmed" min="0"
                max=move || of(|meter| meter.nodes.max(1).to_string())
                value=move || of(|meter| meter.confirmed.to_string())></meter>
            <p class="muted text-sm">{move || of(|meter| meter.detail.clone())}</p>
        </div>
    }
    .into_any()
}

/// How one sees more: by itself, by reloading, or not at all because all is there.
fn further(shown: RwSignal<Meter>, listening: RwSignal<bool>, page: String) -> AnyView {
    if shown.with(|meter| meter.complete) {
        return view! { <span>"Every node has confirmed."</span> }.into_any();
    }
    if listening.get() {
        return view! { <span>"It updates by itself."</span> }.into_any();
    }
    view! { <a href=page>"Reload to see more"</a> }.into_any()
}

fn table(shown: RwSignal<Meter>) -> AnyView {
    let rows = move || {
        let lines = shown.with(|meter| meter.lines.clone());
        lines.into_iter().map(row).collect_view()
    };
    view! {
        <div class="table-box" tabindex="0" role="region" aria-label="Nodes">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">"Node"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Confirmed after"</th>
                        <th scope="col">"First real request refused"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="pad muted text-sm">{move || shown.with(|meter| meter.rest.clone())}</p>
    }
    .into_any()
}

fn row(line: Line) -> AnyView {
    view! {
        <tr>
            <td>{line.name}</td>
            <td><span class=format!("pill {}", line.tone)>{line.state}</span></td>
            <td>{line.after}</td>
            <td>{line.probe}</td>
        </tr>
    }
    .into_any()
}

/// Takes what the server says until it says that nothing more will come. A connection that breaks is opened again by
/// the browser.
fn listen(events: &str, shown: RwSignal<Meter>, listening: RwSignal<bool>) {
    let Ok(source) = EventSource::new(events) else {
        return;
    };
    let stop = {
        let source = source.clone();
        move || {
            source.close();
            listening.set(false);
        }
    };
    let ended = Closure::<dyn FnMut()>::new(stop);
    let opened = Closure::<dyn FnMut()>::new(move || listening.set(true));
    let lost = Closure::<dyn FnMut()>::new(move || listening.set(false));
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        // Of a server of another version: what is shown stays, and reloading shows the rest.
        if let Ok(meter) = serde_json::from_str::<Meter>(&text) {
            shown.set(meter);
        }
    });
    source.set_onopen(Some(opened.as_ref().unchecked_ref()));
    source.set_onerror(Some(lost.as_ref().unchecked_ref()));
    source.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    let _ = source.add_event_listener_with_callback(END, ended.as_ref().unchecked_ref());
    // They live as long as the page, which is as long as the browser may call them.
    opened.forget();
    lost.forget();
    heard.forget();
    ended.forget();
}
