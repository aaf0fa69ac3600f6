//! Rows of rollouts, and of what nodes counted for them.

use chrono::{DateTime, Utc};
use contract::{
    ids::{NodeId, RolloutId, TenantId},
    tenant::Region,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{StoreError, Tx, codec};
use crate::{
    page::{Page, PageRequest},
    rollouts::{Measure, Rollout, RolloutFilter, RolloutPhase},
};

mod row {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollouts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub tenant_id: String,
        pub region: String,
        pub version: i64,
        pub base_version: i64,
        pub base_manifest: String,
        pub state: String,
        pub started_at: DateTime<Utc>,
        pub bake_seconds: i64,
        pub decided_at: Option<DateTime<Utc>>,
        pub decided_by: Option<String>,
        pub reason: Option<String>,
        pub reverted_by: Option<i64>,
        pub gates: String,
        pub events: String,
        pub revision: i64,
        pub fence: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod measure {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout_measures")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub rollout_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        pub version: i64,
        pub since: DateTime<Utc>,
        pub latest: String,
        pub total: String,
        pub at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "rollouts";
const MEASURES: &str = "rollout_measures";

impl Tx {
    /// Writes a rollout, new or over its older state; `fence` is of the job that did it, if one did.
    pub(crate) async fn put_rollout(
        &self,
        rollout: &Rollout,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        self.put(row::ActiveModel {
            id: Set(rollout.id.to_string()),
            tenant_id: Set(rollout.tenant.to_string()),
            region: Set(rollout.region.to_string()),
            version: Set(codec::signed(TABLE, rollout.version)?),
            base_version: Set(codec::signed(TABLE, rollout.base_version)?),
            base_manifest: Set(rollout.base_manifest.to_string()),
            state: Set(rollout.phase.as_str().to_owned()),
            started_at: Set(rollout.started_at),
            bake_seconds: Set(i64::from(rollout.bake_seconds)),
            decided_at: Set(rollout.decided_at),
            decided_by: Set(rollout.decided_by.clone()),
            reason: Set(rollout.reason.clone()),
            reverted_by: Set(rollout
                .reverted_by
                .map(|version| codec::signed(TABLE, version))
                .transpose()?),
            gates: Set(codec::to_json(&rollout.gates)),
            events: Set(codec::to_json(&rollout.events)),
            revision: Set(rollout.revision),
            fence: Set(codec::signed(TABLE, fence.unwrap_or(0))?),
        })
        .await
    }

    /// Finds a rollout. Whoever is given one was authorized for the platform, or compares its tenant.
    pub(crate) async fn find_rollout(&self, id: RolloutId) -> Result<Option<Rollout>, StoreError> {
        let found = row::Entity::find_by_id(id.to_string()).one(&self.db);
        found.await?.map(from_row).transpose()
    }

    /// Finds the rollout of a tenant that is not decided yet.
    pub(crate) async fn find_open_rollout(
        &self,
        tenant: TenantId,
    ) -> Result<Option<Rollout>, StoreError> {
        let query = open().filter(row::Column::TenantId.eq(tenant.to_string()));
        query.one(&self.db).await?.map(from_row).transpose()
    }

    /// The rollouts that are not decided yet, of a region or of all.
    pub(crate) async fn list_open_rollouts(
        &self,
        region: Option<&Region>,
    ) -> Result<Vec<Rollout>, StoreError> {
        let mut query = open().order_by_asc(row::Column::Id);
        if let Some(region) = region {
            query = query.filter(row::Column::Region.eq(region.as_str()));
        }
        let rows = query.all(&self.db).await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Rollouts, newest first.
    pub(crate) async fn list_rollouts(
        &self,
        filter: RolloutFilter,
        page: &PageRequest,
    ) -> Result<Page<Rollout>, StoreError> {
        let mut query = row::Entity::find().order_by_desc(row::Column::Id);
        if let Some(tenant) = filter.tenant {
            query = query.filter(row::Column::TenantId.eq(tenant.to_string()));
        }
        if let Some(phase) = filter.phase {
            query = query.filter(row::Column::State.eq(phase.as_str()));
        }
        if let Some(after) = page.after() {
            query = query.filter(row::Column::Id.lt(after));
        }
        let rows = query.limit(page.fetch()).all(&self.db).await?;
        let rollouts = rows.into_iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(page.page(rollouts, |rollout: &Rollout| rollout.id))
    }

    /// The rollouts of these versions of a tenant.
    pub(crate) async fn list_rollouts_of_versions(
        &self,
        tenant: TenantId,
        versions: &[u64],
    ) -> Result<Vec<Rollout>, StoreError> {
        let versions: Vec<i64> = versions
            .iter()
            .map(|version| codec::signed(TABLE, *version))
            .collect::<Result<_, _>>()?;
        let either = Condition::any()
            .add(row::Column::Version.is_in(versions.iter().copied()))
            .add(row::Column::RevertedBy.is_in(versions));
        let rows = row::Entity::find()
            .filter(row::Column::TenantId.eq(tenant.to_string()))
            .filter(either)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_row).collect()
    }

    /// Writes what a node counted over what it had counted before.
    pub(crate) async fn put_measure(&self, measure: &Measure) -> Result<(), StoreError> {
        self.put(measure::ActiveModel {
            rollout_id: Set(measure.rollout.to_string()),
            node_id: Set(measure.node.to_string()),
            version: Set(codec::signed(MEASURES, measure.version)?),
            since: Set(measure.since),
            latest: Set(codec::to_json(&measure.latest)),
            total: Set(codec::to_json(&measure.total)),
            at: Set(measure.at),
        })
        .await
    }

    /// What a node counted for a rollout.
    pub(crate) async fn find_measure(
        &self,
        rollout: RolloutId,
        node: NodeId,
    ) -> Result<Option<Measure>, StoreError> {
        let key = (rollout.to_string(), node.to_string());
        let found = measure::Entity::find_by_id(key).one(&self.db).await?;
        found.map(from_measure).transpose()
    }

    /// What all nodes counted for a rollout.
    pub(crate) async fn list_measures(
        &self,
        rollout: RolloutId,
    ) -> Result<Vec<Measure>, StoreError> {
        let rows = measure::Entity::find()
            .filter(measure::Column::RolloutId.eq(rollout.to_string()))
            .order_by_asc(measure::Column::NodeId)
            .all(&self.db)
            .await?;
        rows.into_iter().map(from_measure).collect()
    }

    /// Forgets counts that nobody renewed since; of a rollout that is decided, its gates say what counted.
    pub(crate) async fn trim_measures(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = measure::Entity::delete_many()
            .filter(measure::Column::At.lt(before))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}

fn open() -> sea_orm::Select<row::Entity> {
    let open = RolloutPhase::ALL
        .into_iter()
        .filter(|phase| phase.is_open())
        .map(RolloutPhase::as_str);
    row::Entity::find().filter(row::Column::State.is_in(open))
}

fn from_row(row: row::Model) -> Result<Rollout, StoreError> {
    Ok(Rollout {
        id: codec::parse(TABLE, &row.id)?,
        tenant: codec::parse(TABLE, &row.tenant_id)?,
        region: codec::parse(TABLE, &row.region)?,
        version: codec::unsigned(TABLE, row.version)?,
        base_version: codec::unsigned(TABLE, row.base_version)?,
        base_manifest: codec::parse(TABLE, &row.base_manifest)?,
        phase: codec::parse(TABLE, &row.state)?,
        started_at: row.started_at,
        bake_seconds: u32::try_from(row.bake_seconds).map_err(|error| StoreError::Unreadable {
            table: TABLE,
            reason: error.to_string(),
        })?,
        decided_at: row.decided_at,
        decided_by: row.decided_by,
        reason: row.reason,
        reverted_by: row
            .reverted_by
            .map(|version| codec::unsigned(TABLE, version))
            .transpose()?,
        gates: codec::from_json(TABLE, &row.gates)?,
        events: codec::from_json(TABLE, &row.events)?,
        revision: row.revision,
    })
}

fn from_measure(row: measure::Model) -> Result<Measure, StoreError> {
    Ok(Measure {
        rollout: codec::parse(MEASURES, &row.rollout_id)?,
        node: codec::parse(MEASURES, &row.node_id)?,
        version: codec::unsigned(MEASURES, row.version)?,
        since: row.since,
        latest: codec::from_json(MEASURES, &row.latest)?,
        total: codec::from_json(MEASURES, &row.total)?,
        at: row.at,
    })
}
