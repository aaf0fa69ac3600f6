//! What every step is made of: tables with their keys, then indexes over them.

use sea_orm_migration::prelude::*;

/// An index: its name, its table, its columns.
pub(super) type NamedIndex = (&'static str, &'static str, &'static [&'static str]);

/// Makes the tables; then the indexes under which a value stands once, and those that are only searched.
pub(super) async fn create(
    manager: &SchemaManager<'_>,
    tables: impl IntoIterator<Item = TableCreateStatement>,
    unique: &[NamedIndex],
    searched: &[NamedIndex],
) -> Result<(), DbErr> {
    for table in tables {
        manager.create_table(table).await?;
    }
    for named in unique {
        manager
            .create_index(index(*named).unique().to_owned())
            .await?;
    }
    for named in searched {
        manager.create_index(index(*named)).await?;
    }
    Ok(())
}

/// A table with its primary key.
pub(super) fn table(
    name: &'static str,
    key: &[&'static str],
    columns: Vec<ColumnDef>,
) -> TableCreateStatement {
    let mut primary = Index::create();
    for column in key {
        primary.col(*column);
    }
    let mut table = Table::create();
    table.table(name).primary_key(&mut primary);
    for column in columns {
        table.col(column);
    }
    table
}

fn index((name, table, columns): NamedIndex) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
