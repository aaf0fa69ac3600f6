//! Rows of what a tenant keeps many of: one way to write, find, list and remove them.
//!
//! Such a table has the key (`tenant_id`, `id`), and its ids grow with time, so their order is the order in
//! which things were made. [`Stored`] says what differs: the columns, and how a row becomes a thing. Every
//! statement names its tenant here, once.

use std::future::Future;

use contract::ids::TenantId;
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, PrimaryKeyTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::{StoreError, Tx};
use crate::{
    kept::Kept,
    page::{Page, PageRequest},
};

/// A row of the table in which `S` is kept.
pub(super) type RowOf<S> = <<S as Stored>::Entity as EntityTrait>::Model;
/// A row of that table, to be written.
pub(super) type NewRowOf<S> = <<S as Stored>::Entity as EntityTrait>::ActiveModel;
/// A column of that table.
pub(super) type ColumnOf<S> = <<S as Stored>::Entity as EntityTrait>::Column;

/// A thing with a table of its own.
pub(crate) trait Stored: Kept {
    /// The table.
    type Entity: EntityTrait<
            Model: Send + Sync,
            ActiveModel: Send,
            PrimaryKey: PrimaryKeyTrait<ValueType = (String, String)>,
        >;
    /// Whose it is.
    const TENANT: ColumnOf<Self>;
    /// Which it is.
    const ID: ColumnOf<Self>;

    /// Its row.
    fn to_row(&self, tenant: TenantId) -> NewRowOf<Self>;

    /// What a row stands for.
    fn from_row(row: RowOf<Self>) -> Result<Self, StoreError>;

    /// Adds what other tables hold of these things of one tenant. Most are whole already.
    fn complete(
        found: Vec<Self>,
        _tenant: TenantId,
        _tx: &Tx,
    ) -> impl Future<Output = Result<Vec<Self>, StoreError>> + Send {
        std::future::ready(Ok(found))
    }
}

/// Everything of one kind that a tenant keeps, in the order in which it was made.
pub(super) fn of_tenant<S: Stored>(tenant: TenantId) -> Select<S::Entity> {
    S::Entity::find()
        .filter(S::TENANT.eq(tenant.to_string()))
        .order_by_asc(S::ID)
}

impl Tx {
    /// Writes a new thing.
    pub(crate) async fn insert<S: Stored>(
        &self,
        tenant: TenantId,
        new: &S,
    ) -> Result<(), StoreError> {
        S::Entity::insert(new.to_row(tenant))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Overwrites a thing.
    pub(crate) async fn update<S: Stored>(
        &self,
        tenant: TenantId,
        changed: &S,
    ) -> Result<(), StoreError> {
        S::Entity::update(changed.to_row(tenant))
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Removes a thing.
    pub(crate) async fn delete<S: Stored>(
        &self,
        tenant: TenantId,
        id: S::Id,
    ) -> Result<(), StoreError> {
        S::Entity::delete_by_id((tenant.to_string(), id.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Finds a thing.
    pub(crate) async fn find<S: Stored>(
        &self,
        tenant: TenantId,
        id: S::Id,
    ) -> Result<Option<S>, StoreError> {
        let query = of_tenant::<S>(tenant).filter(S::ID.eq(id.to_string()));
        Ok(self.read(tenant, query).await?.pop())
    }

    /// How many there are.
    pub(crate) async fn count<S: Stored>(&self, tenant: TenantId) -> Result<u64, StoreError> {
        Ok(of_tenant::<S>(tenant).count(&self.db).await?)
    }

    /// All that a query of one tenant finds.
    pub(super) async fn read<S: Stored>(
        &self,
        tenant: TenantId,
        query: Select<S::Entity>,
    ) -> Result<Vec<S>, StoreError> {
        let rows = query.all(&self.db).await?;
        let found = rows
            .into_iter()
            .map(S::from_row)
            .collect::<Result<_, _>>()?;
        S::complete(found, tenant, self).await
    }

    /// A page of what a query of one tenant finds.
    pub(super) async fn read_page<S: Stored>(
        &self,
        tenant: TenantId,
        query: Select<S::Entity>,
        page: &PageRequest,
    ) -> Result<Page<S>, StoreError> {
        let query = match page.after() {
            Some(after) => query.filter(S::ID.gt(after)),
            None => query,
        };
        let found = self.read(tenant, query.limit(page.fetch())).await?;
        Ok(page.page(found, S::id))
    }
}
