//! A tenant's pages: what its administrators, and vendor staff as far as the matrix allows, see and change.
//!
//! Each file holds one thing: the pages that show it and the commands that change it, which read a form,
//! call one method of the control plane and answer with a redirect or with the page again. No page here
//! decides a permission; what it hides it hides for clarity, never for safety.

mod apis;
mod apps;
pub(crate) mod audit;
pub(crate) mod containments;
mod home;
mod lines;
mod party;
mod policies;
mod releases;
mod responsibility;
mod roles;

#[cfg(test)]
mod tests;

use contract::permission::Permission as P;

use crate::{
    form::Form,
    routes::{Answer, Command, Nav, Place, Resource, Screen},
    visit::Visit,
};

/// The tenant's pages, in the order of the navigation.
pub static SCREENS: &[Screen] = &[
    page("home", P::SettingsView, |visit| Box::pin(home::show(visit)))
        .under("Overview", "Home", "home"),
    page("releases", P::SettingsView, |visit| {
        Box::pin(releases::list(visit))
    })
    .under("Overview", "Releases", "release"),
    page("apps", P::ApplicationsView, |visit| {
        Box::pin(apps::list(visit))
    })
    .under("People and apps", "Applications", "app"),
    page("apps/new", P::ApplicationsEdit, |visit| {
        Box::pin(apps::new::show(visit))
    }),
    page("apps/{id}", P::ApplicationsView, |visit| {
        Box::pin(apps::basics::show(visit))
    }),
    page("apps/{id}/redirects", P::ApplicationsView, |visit| {
        Box::pin(apps::redirects::show(visit))
    }),
    page("apps/{id}/credentials", P::ApplicationsView, |visit| {
        Box::pin(apps::credentials::show(visit))
    }),
    page(
        "apps/{id}/credentials/{secret}",
        P::SecretsManage,
        |visit| Box::pin(apps::credentials::confirm(visit)),
    ),
    page("apps/{id}/access", P::ApplicationsView, |visit| {
        Box::pin(apps::access::show(visit))
    }),
    page("apps/{id}/danger", P::ApplicationsEdit, |visit| {
        Box::pin(apps::danger::show(visit))
    }),
    page("apis", P::ApplicationsView, |visit| {
        Box::pin(apis::list(visit))
    })
    .under("People and apps", "APIs", "link"),
    page("apis/new", P::ApisEdit, |visit| {
        Box::pin(apis::edit::new(visit))
    }),
    page("apis/{id}", P::ApplicationsView, |visit| {
        Box::pin(apis::edit::show(visit))
    }),
    page("policies", P::PoliciesView, |visit| {
        Box::pin(policies::list(visit))
    })
    .under("Control", "Policies", "policy"),
    page("policies/{kind}", P::PoliciesView, |visit| {
        Box::pin(policies::show::show(visit))
    }),
    page("policies/{kind}/draft", P::PoliciesView, |visit| {
        Box::pin(policies::draft::show(visit))
    }),
    page("policies/{kind}/review", P::PoliciesView, |visit| {
        Box::pin(policies::review::show(visit))
    }),
    page("roles", P::RolesView, |visit| {
        Box::pin(roles::people(visit))
    })
    .under("Control", "Admin roles", "roles"),
    page("roles/table", P::RolesView, |visit| {
        Box::pin(roles::table::show(visit))
    }),
    page("roles/{assignment}/remove", P::RolesManage, |visit| {
        Box::pin(roles::remove::confirm(visit))
    }),
    page("responsibility", P::ResponsibilitiesView, |visit| {
        Box::pin(responsibility::show(visit))
    })
    .under("Control", "Responsibility matrix", "matrix"),
    page("responsibility/{duty}", P::ResponsibilitiesView, |visit| {
        Box::pin(responsibility::edit::show(visit))
    }),
    page("containments", P::ContainmentsView, |visit| {
        Box::pin(containments::list(visit))
    })
    .under("Control", "Containment", "lock"),
    page("containments/new", P::ContainmentsManage, |visit| {
        Box::pin(containments::new::show(visit))
    }),
    page("containments/review", P::ContainmentsManage, |visit| {
        Box::pin(containments::review::show(visit))
    }),
    page("containments/{id}", P::ContainmentsView, |visit| {
        Box::pin(containments::show::show(visit))
    }),
    page("containments/{id}/lift", P::ContainmentsManage, |visit| {
        Box::pin(containments::change::confirm(visit))
    }),
    page("audit", P::AuditView, |visit| Box::pin(audit::show(visit)))
        .under("Evidence", "Audit log", "audit"),
];

/// What the tenant's pages offer beside themselves.
pub static RESOURCES: &[Resource] = &[
    beside("containments/{id}/events", P::ContainmentsView, |visit| {
        Box::pin(containments::events::events(visit))
    }),
    beside("containments/{id}/receipt", P::ContainmentsView, |visit| {
        Box::pin(containments::show::receipt(visit))
    }),
];

/// The tenant's commands.
pub static COMMANDS: &[Command] = &[
    command("apps/create", P::ApplicationsEdit, |visit, form| {
        Box::pin(apps::new::create(visit, form))
    }),
    command("apps/{id}/update", P::ApplicationsEdit, |visit, form| {
        Box::pin(apps::basics::update(visit, form))
    }),
    command("apps/{id}/redirects", P::ApplicationsEdit, |visit, form| {
        Box::pin(apps::redirects::update(visit, form))
    }),
    command("apps/{id}/status", P::ApplicationsEdit, |visit, form| {
        Box::pin(apps::danger::set_status(visit, form))
    }),
    command("apps/{id}/delete", P::ApplicationsEdit, |visit, form| {
        Box::pin(apps::danger::delete(visit, form))
    }),
    command(
        "apps/{id}/credentials/create",
        P::SecretsManage,
        |visit, form| Box::pin(apps::credentials::create(visit, form)),
    ),
    command(
        "apps/{id}/credentials/{secret}/revoke",
        P::SecretsManage,
        |visit, form| Box::pin(apps::credentials::revoke(visit, form)),
    ),
    command(
        "apps/{id}/access/allow",
        P::ClientGrantsEdit,
        |visit, form| Box::pin(apps::access::allow(visit, form)),
    ),
    command(
        "apps/{id}/access/{grant}/remove",
        P::ClientGrantsEdit,
        |visit, form| Box::pin(apps::access::remove(visit, form)),
    ),
    command("apis/create", P::ApisEdit, |visit, form| {
        Box::pin(apis::edit::create(visit, form))
    }),
    command("apis/{id}/update", P::ApisEdit, |visit, form| {
        Box::pin(apis::edit::update(visit, form))
    }),
    command("apis/{id}/delete", P::ApisEdit, |visit, form| {
        Box::pin(apis::edit::delete(visit, form))
    }),
    command("policies/{kind}/save", P::PoliciesView, |visit, form| {
        Box::pin(policies::draft::save(visit, form))
    }),
    command("policies/{kind}/discard", P::PoliciesView, |visit, form| {
        Box::pin(policies::draft::discard(visit, form))
    }),
    command("policies/{kind}/publish", P::PoliciesView, |visit, form| {
        Box::pin(policies::review::publish(visit, form))
    }),
    command("roles/invite", P::RolesManage, |visit, form| {
        Box::pin(roles::invite(visit, form))
    }),
    command("roles/resend", P::RolesManage, |visit, form| {
        Box::pin(roles::resend(visit, form))
    }),
    command(
        "roles/{assignment}/remove",
        P::RolesManage,
        |visit, form| Box::pin(roles::remove::remove(visit, form)),
    ),
    command(
        "containments/begin",
        P::ContainmentsManage,
        |visit, form| Box::pin(containments::begin(visit, form)),
    ),
    command(
        "containments/{id}/lift",
        P::ContainmentsManage,
        |visit, form| Box::pin(containments::change::lift(visit, form)),
    ),
    command(
        "containments/{id}/extend",
        P::ContainmentsManage,
        |visit, form| Box::pin(containments::change::extend(visit, form)),
    ),
    command(
        "responsibility/{duty}/review",
        P::ResponsibilitiesEdit,
        |visit, form| Box::pin(responsibility::edit::review(visit, form)),
    ),
    command(
        "responsibility/{duty}/save",
        P::ResponsibilitiesEdit,
        |visit, form| Box::pin(responsibility::edit::save(visit, form)),
    ),
];

const fn page(path: &'static str, permission: P, show: fn(Visit) -> Answer) -> Screen {
    Screen {
        path,
        place: Place::Tenant,
        permission: Some(permission),
        nav: None,
        show,
    }
}

impl Screen {
    const fn under(self, group: &'static str, label: &'static str, icon: &'static str) -> Self {
        Self {
            nav: Some(Nav { group, label, icon }),
            ..self
        }
    }
}

const fn beside(path: &'static str, permission: P, give: fn(Visit) -> Answer) -> Resource {
    Resource {
        path,
        place: Place::Tenant,
        permission: Some(permission),
        give,
    }
}

const fn command(path: &'static str, permission: P, run: fn(Visit, Form) -> Answer) -> Command {
    Command {
        path,
        place: Place::Tenant,
        permission: Some(permission),
        run,
    }
}
