//! The platform's pages, for vendor staff: tenants, nodes, staff, the platform's audit log. No personal
//! data of any tenant's users is reachable from here.

mod audit;
mod incidents;
mod new_tenant;
mod nodes;
pub(crate) mod rollouts;
mod staff;
mod tenant;
mod tenants;

use contract::permission::Permission as P;

use crate::routes::{Command, Nav, Place, Screen};

const fn nav(group: &'static str, label: &'static str, icon: &'static str) -> Option<Nav> {
    Some(Nav { group, label, icon })
}

/// The platform's pages, in the order of the navigation.
pub static SCREENS: &[Screen] = &[
    Screen {
        path: "tenants",
        place: Place::Platform,
        permission: Some(P::TenantsView),
        nav: nav("Operate", "Tenants", "tenant"),
        show: |visit| Box::pin(tenants::show(visit)),
    },
    Screen {
        path: "tenants/new",
        place: Place::Platform,
        permission: Some(P::TenantsCreate),
        nav: None,
        show: |visit| Box::pin(new_tenant::show(visit)),
    },
    Screen {
        path: "tenants/{slug}",
        place: Place::Platform,
        permission: Some(P::TenantsView),
        nav: None,
        show: |visit| Box::pin(tenant::show(visit)),
    },
    Screen {
        path: "incidents",
        place: Place::Platform,
        permission: Some(P::TenantsView),
        nav: nav("Operate", "Incidents", "bell"),
        show: |visit| Box::pin(incidents::show(visit)),
    },
    Screen {
        path: "incidents/contain",
        place: Place::Platform,
        permission: Some(P::TenantsView),
        nav: None,
        show: |visit| Box::pin(incidents::choose(visit)),
    },
    Screen {
        path: "nodes",
        place: Place::Platform,
        permission: Some(P::NodesView),
        nav: nav("Operate", "Nodes", "node"),
        show: |visit| Box::pin(nodes::list(visit)),
    },
    Screen {
        path: "nodes/new",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        nav: None,
        show: |visit| Box::pin(nodes::new::show(visit)),
    },
    Screen {
        path: "nodes/authorities",
        place: Place::Platform,
        permission: Some(P::NodesView),
        nav: None,
        show: |visit| Box::pin(nodes::authorities::show(visit)),
    },
    Screen {
        path: "nodes/{node}",
        place: Place::Platform,
        permission: Some(P::NodesView),
        nav: None,
        show: |visit| Box::pin(nodes::show::show(visit)),
    },
    Screen {
        path: "nodes/{node}/join",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        nav: None,
        show: |visit| Box::pin(nodes::join::show(visit)),
    },
    Screen {
        path: "rollouts",
        place: Place::Platform,
        permission: Some(P::RolloutsView),
        nav: nav("Operate", "Rollouts", "release"),
        show: |visit| Box::pin(rollouts::list(visit)),
    },
    Screen {
        path: "rollouts/{id}",
        place: Place::Platform,
        permission: Some(P::RolloutsView),
        nav: None,
        show: |visit| Box::pin(rollouts::show::show(visit)),
    },
    Screen {
        path: "rollouts/{id}/{step}",
        place: Place::Platform,
        permission: Some(P::RolloutsManage),
        nav: None,
        show: |visit| Box::pin(rollouts::decide::confirm(visit)),
    },
    Screen {
        path: "staff",
        place: Place::Platform,
        permission: Some(P::StaffView),
        nav: nav("Control", "Staff and roles", "users"),
        show: |visit| Box::pin(staff::show(visit)),
    },
    Screen {
        path: "audit",
        place: Place::Platform,
        permission: Some(P::PlatformAuditView),
        nav: nav("Evidence", "Audit log", "audit"),
        show: |visit| Box::pin(audit::show(visit)),
    },
];

/// The platform's commands.
pub static COMMANDS: &[Command] = &[
    Command {
        path: "tenants/create",
        place: Place::Platform,
        permission: Some(P::TenantsCreate),
        run: |visit, form| Box::pin(new_tenant::create(visit, form)),
    },
    Command {
        path: "tenants/{slug}/status",
        place: Place::Platform,
        permission: Some(P::TenantsUpdate),
        run: |visit, form| Box::pin(tenant::set_status(visit, form)),
    },
    Command {
        path: "tenants/{slug}/owner-invitation",
        place: Place::Platform,
        permission: Some(P::TenantsCreate),
        run: |visit, form| Box::pin(tenant::invite_owner(visit, form)),
    },
    Command {
        path: "nodes/create",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::new::create(visit, form)),
    },
    Command {
        path: "nodes/authorities/rotate",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::authorities::rotate(visit, form)),
    },
    Command {
        path: "nodes/{node}/join-token",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::join::make(visit, form)),
    },
    Command {
        path: "nodes/{node}/ring",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::ring::change(visit, form)),
    },
    Command {
        path: "nodes/{node}/revoke",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::removal::revoke(visit, form)),
    },
    Command {
        path: "nodes/{node}/delete",
        place: Place::Platform,
        permission: Some(P::NodesManage),
        run: |visit, form| Box::pin(nodes::removal::delete(visit, form)),
    },
    Command {
        path: "rollouts/{id}/{step}",
        place: Place::Platform,
        permission: Some(P::RolloutsManage),
        run: |visit, form| Box::pin(rollouts::decide::run(visit, form)),
    },
    Command {
        path: "staff/invite",
        place: Place::Platform,
        permission: Some(P::StaffManage),
        run: |visit, form| Box::pin(staff::invite(visit, form)),
    },
    Command {
        path: "staff/resend",
        place: Place::Platform,
        permission: Some(P::StaffManage),
        run: |visit, form| Box::pin(staff::resend(visit, form)),
    },
];
