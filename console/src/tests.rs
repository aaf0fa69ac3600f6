//! The route table as a whole: unique, reachable from the navigation, and its icons exist.

use std::collections::BTreeSet;

use contract::{permission::Permission, role::Role};

use crate::{
    routes::{Place, commands, resources, screens},
    shell::navigation,
};

#[test]
fn every_address_is_there_once() {
    let mut seen = BTreeSet::new();
    let patterns = screens()
        .map(|screen| screen.pattern())
        .chain(resources().map(|resource| resource.pattern()))
        .chain(commands().map(|command| command.pattern()));
    for pattern in patterns {
        assert!(
            pattern.starts_with('/') && !pattern[1..].contains("//"),
            "{pattern}"
        );
        assert!(seen.insert(pattern.clone()), "{pattern} twice");
    }
}

#[test]
fn every_scoped_row_names_its_permission() {
    for screen in screens().filter(|screen| screen.place != Place::Anywhere) {
        let permission = screen
            .permission
            .unwrap_or_else(|| panic!("{} is for everyone", screen.pattern()));
        assert_eq!(
            permission.is_platform(),
            screen.place == Place::Platform,
            "{}",
            screen.pattern()
        );
    }
    for command in commands().filter(|command| command.place != Place::Anywhere) {
        assert!(command.permission.is_some(), "{}", command.pattern());
    }
}

#[test]
fn every_icon_of_the_navigation_exists() {
    for nav in screens().filter_map(|screen| screen.nav) {
        assert!(ui_assets::ICONS.contains(&nav.icon), "{}", nav.icon);
    }
}

#[test]
fn the_navigation_follows_the_permissions() {
    assert!(navigation(Place::Platform, &BTreeSet::new()).is_empty());
    let labels = |role: Role| -> Vec<&str> {
        let powers: BTreeSet<Permission> = role.permissions().collect();
        let groups = navigation(Place::Platform, &powers);
        groups
            .into_iter()
            .flat_map(|group| group.items)
            .map(|item| item.label)
            .collect()
    };
    assert_eq!(
        labels(Role::PlatformOwner),
        [
            "Tenants", "Incidents", "Nodes", "Rollouts", "Staff and roles", "Audit log"
        ]
    );
    assert_eq!(
        labels(Role::SupportEngineer),
        ["Tenants", "Incidents", "Nodes", "Rollouts"]
    );
    assert!(labels(Role::TenantOwner).is_empty());
}
