//! Looks: how a person wants the console to look, on every device.

use contract::ids::OperatorId;

use crate::{ControlPlane, Refusal};

/// How a person wants the console to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Colours.
    pub theme: Theme,
    /// Space.
    pub density: Density,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The stored form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = contract::Invalid;
            fn from_str(text: &str) -> Result<Self, contract::Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(contract::Invalid::new(stringify!($name), concat!("must be one of", $(" ", $text),*))),
                }
            }
        }
    };
}

choices! {
    /// Colours of the console.
    Theme {
        /// What the system prefers.
        #[default]
        System = "system",
        /// Dark on light.
        Light = "light",
        /// Light on dark.
        Dark = "dark",
    }
}

choices! {
    /// Space between rows.
    Density {
        /// Room to breathe.
        #[default]
        Comfortable = "comfortable",
        /// More rows on a screen.
        Compact = "compact",
    }
}

impl ControlPlane {
    /// How an operator wants the console to look.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn preferences(&self, operator: OperatorId) -> Result<Preferences, Refusal> {
        let tx = self.store().begin_read().await?;
        Ok(tx.find_preferences(operator).await?.unwrap_or_default())
    }

    /// Remembers how an operator wants the console to look.
    ///
    /// # Errors
    /// Only [`Refusal::Internal`].
    pub async fn set_preferences(
        &self,
        operator: OperatorId,
        preferences: Preferences,
    ) -> Result<(), Refusal> {
        let tx = self.store().begin().await?;
        tx.put_preferences(operator, preferences).await?;
        Ok(tx.commit().await?)
    }
}
