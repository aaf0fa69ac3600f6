//! The audit log's filters: read from the address, shown as a form and as chips that take themselves away.
//!
//! Everything is in the address, so that a filtered log can be sent to somebody as a link.

use chrono::{DateTime, Days, NaiveDate, Utc};
use contract::ids::OperatorId;
use control_plane::{
    Refusal,
    audit::{AuditFilter, Outcome},
};
use leptos::prelude::*;

use crate::{fault::Fault, form::Form, kit::*, visit::Visit};

/// Actions that one may want to see alone: how they begin, and what people call them.
const ACTIONS: [(&str, &str); 11] = [
    ("", "Every action"),
    ("applications.", "Applications"),
    ("apis.", "APIs"),
    ("client_grants.", "API access"),
    ("policies.", "Policies"),
    ("policies.publish", "Publications of policies"),
    ("roles.", "Roles"),
    ("operators.", "Invitations"),
    ("responsibilities.", "Responsibility matrix"),
    ("tenants.", "The tenant itself"),
    ("tenant.", "Refused in a tenant"),
];

/// Nothing of these kinds is ever in a tenant's log.
const ON_THE_PLATFORM: [(&str, &str); 3] = [
    ("nodes.", "Nodes"),
    ("authorities.", "Authorities of nodes"),
    ("platform.", "Refused on the platform"),
];

/// What the address asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    actor: Option<OperatorId>,
    action: Option<String>,
    object: Option<String>,
    outcome: Option<Outcome>,
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
    text: Option<String>,
}

impl Asked {
    /// Reads the address.
    ///
    /// # Errors
    /// [`Fault::BadAddress`] for a member that cannot be what it says it is.
    pub(super) fn read(visit: &Visit) -> Result<Self, Fault> {
        let day = |name: &'static str| {
            let read = |text: String| {
                text.parse()
                    .map_err(|_| bad(name, "must be a day such as 2026-11-23"))
            };
            visit.query(name).map(read).transpose()
        };
        let actor = visit.query("actor").map(|text| {
            text.parse()
                .map_err(|_| bad("actor", "is not an operator's id"))
        });
        let outcome = visit.query("outcome").map(|text| {
            text.parse()
                .map_err(|_| bad("outcome", "must be done or refused"))
        });
        Ok(Self {
            actor: actor.transpose()?,
            action: visit.query("action"),
            object: visit.query("object"),
            outcome: outcome.transpose()?,
            since: day("since")?,
            until: day("until")?,
            text: visit.query("q"),
        })
    }

    /// What the control plane is asked.
    pub(super) fn filter(&self) -> AuditFilter {
        AuditFilter {
            actor: self.actor,
            action: self.action.clone(),
            object: self.object.clone(),
            outcome: self.outcome,
            since: self.since.map(midnight),
            // The last day counts as well.
            until: self
                .until
                .and_then(|day| day.checked_add_days(Days::new(1)))
                .map(midnight),
            text: self.text.clone(),
        }
    }

    /// Whether anything is filtered out.
    pub(super) fn is_any(&self) -> bool {
        !self.active().is_empty()
    }

    /// The active filters: address member, name, value.
    fn active(&self) -> Vec<(&'static str, &'static str, String)> {
        let known = |action: &String| {
            let mut all = ACTIONS.iter().chain(&ON_THE_PLATFORM);
            let found = all.find(|(key, _)| key == action);
            found.map_or_else(|| action.clone(), |(_, name)| (*name).to_owned())
        };
        let active = [
            ("q", "Text", self.text.clone()),
            ("action", "Action", self.action.as_ref().map(known)),
            (
                "outcome",
                "Outcome",
                self.outcome.map(|outcome| outcome.as_str().to_owned()),
            ),
            ("actor", "Who", self.actor.map(|actor| actor.to_string())),
            ("object", "About", self.object.clone()),
            ("since", "From", self.since.map(|day| day.to_string())),
            ("until", "To", self.until.map(|day| day.to_string())),
        ];
        active
            .into_iter()
            .filter_map(|(key, name, value)| Some((key, name, value?)))
            .collect()
    }

    /// The form above the list. What only links set (who, about) stays as it is.
    pub(super) fn form(&self, visit: &Visit) -> AnyView {
        let options = |options: &[(&str, &str)]| -> Vec<(String, String)> {
            options
                .iter()
                .map(|(value, name)| ((*value).to_owned(), (*name).to_owned()))
                .collect()
        };
        let form = Form::with([
            ("action", self.action.clone().unwrap_or_default()),
            (
                "outcome",
                self.outcome
                    .map(|outcome| outcome.as_str().to_owned())
                    .unwrap_or_default(),
            ),
        ]);
        let mut actions = options(&ACTIONS);
        if visit.tenant_if_any().is_none() {
            actions.extend(options(&ON_THE_PLATFORM));
        }
        if let Some(other) = self
            .action
            .as_ref()
            .filter(|action| actions.iter().all(|(key, _)| key != *action))
        {
            actions.push((other.clone(), other.clone()));
        }
        let action = Field::select("action", "Action", actions)
            .short()
            .view(&form);
        let outcomes = options(&[
            ("", "Done or refused"),
            ("done", "Done"),
            ("refused", "Refused"),
        ]);
        let outcome = Field::select("outcome", "Outcome", outcomes)
            .short()
            .view(&form);
        let kept: Vec<AnyView> = [
            ("actor", self.actor.map(|actor| actor.to_string())),
            ("object", self.object.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            Some(view! { <input type="hidden" name=name value=value? /> }.into_any())
        })
        .collect();
        let path = visit.path().to_owned();
        view! {
            <form class="filters" method="get" action=path role="search" aria-label="Filter events">
                <div class="search">
                    {icon("search")}
                    <input type="search" name="q" value=self.text.clone().unwrap_or_default() aria-label="Text in the event"
                        placeholder="Text in the event" autocomplete="off" />
                </div>
                {action}{outcome}{day("since", "From day", self.since)}{day("until", "To day", self.until)}
                {kept}
                <Button small=true icon="filter">"Filter"</Button>
            </form>
        }
        .into_any()
    }

    /// The active filters, each a link that takes it away.
    pub(super) fn chips(&self, visit: &Visit) -> Option<AnyView> {
        let active = self.active();
        let chips: Vec<AnyView> = active
            .into_iter()
            .map(|(key, name, value)| {
                let href = visit.with_query(&[(key, None), ("after", None)]);
                let label = format!("Remove the filter {name}");
                view! { <a class="chip" href=href title=label>{name}": "{value}{icon("x")}</a> }
                    .into_any()
            })
            .collect();
        let clear = visit.path().to_owned();
        (!chips.is_empty()).then(|| {
            view! { <div class="filters">{chips}<a class="clear" href=clear>"Clear all"</a></div> }.into_any()
        })
    }
}

fn day(name: &'static str, label: &'static str, value: Option<NaiveDate>) -> AnyView {
    let value = value.map(|day| day.to_string()).unwrap_or_default();
    view! {
        <div class="field short">
            <label for=name>{label}</label>
            <input class="input" type="date" id=name name=name value=value />
        </div>
    }
    .into_any()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0)
        .expect("every day has a midnight in UTC")
        .and_utc()
}

fn bad(member: &'static str, reason: &str) -> Fault {
    Refusal::invalid(member, reason).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_counts() {
        let day: NaiveDate = "2026-11-23".parse().unwrap();
        let asked = Asked {
            since: Some(day),
            until: Some(day),
            ..Asked::default()
        };
        let filter = asked.filter();
        assert_eq!(
            filter.until.unwrap() - filter.since.unwrap(),
            chrono::TimeDelta::days(1)
        );
        assert_eq!(asked.active().len(), 2);
        assert!(!Asked::default().is_any());
    }
}
