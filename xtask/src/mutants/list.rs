//! The invariants and how each is broken.

use super::Mutant;

const PUT_PART: &str = "crates/towline-core/src/engine/put_part.rs";
const APPEND: &str = "crates/towline-core/src/engine/append.rs";
const ABANDON: &str = "crates/towline-core/src/engine/abandon.rs";
const CORE: &str = "towline-core";
const BACKENDS: &str = "towline-backends";
const CLIENT: &str = "towline-client";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "reply before the fact",
        file: PUT_PART,
        from: "        self.record_part(fetched.upload, part, lease).await\n    }",
        to: "        let upload = fetched.upload.clone();
        let early = Landed { part: part.clone(), progress: upload.progress, is_repeat: false, upload };
        self.record_part(fetched.upload, part, lease).await.ok();
        Ok(early)\n    }",
        package: CORE,
        tests: &["--test", "engine", "--test", "stories"],
        dies: "a_part_is_acknowledged_only_after_its_fact_is_recorded",
    },
    Mutant {
        name: "record before the bytes are durable",
        file: PUT_PART,
        from: "        part.mark = writer.land().await.map_err(refuse_full)?;
        part.landed_at = self.clock.now();
        self.record_part(fetched.upload, part, lease).await",
        to: "        let early = self.record_part(fetched.upload, part, lease).await?;
        writer.land().await.map_err(refuse_full)?;
        Ok(early)",
        package: CORE,
        tests: &["--test", "engine", "--test", "stories"],
        dies: "a_fact_is_recorded_only_once_its_bytes_are_durable",
    },
    Mutant {
        name: "drop the old before recording the new",
        file: PUT_PART,
        from: "        part.mark = writer.land().await.map_err(refuse_full)?;",
        to: "        part.mark = writer.land().await.map_err(refuse_full)?;
        if let Ok(Some(Fetched { part: Some(before), .. })) = self.catalog.fetch(id, Some(number)).await {
            self.store.drop_part(&fetched.upload.place, number, &before.mark).await.ok();
        }",
        package: CORE,
        tests: &["--test", "engine", "--test", "stories"],
        dies: "an_old_part_is_dropped_only_after_the_new_one_is_recorded",
    },
    Mutant {
        name: "write a re-sent part over the landed one",
        file: PUT_PART,
        from: "{ Spot::Aside } else { Spot::Own }",
        to: "{ Spot::Own } else { Spot::Own }",
        package: CORE,
        tests: &["--test", "stories"],
        dies: "every_story_ends_well",
    },
    Mutant {
        name: "trust what was read before the seat was had",
        file: PUT_PART,
        from: "if lease.generation() != generation {",
        to: "if false && lease.generation() != generation {",
        package: CORE,
        tests: &["--test", "stories"],
        dies: "every_story_ends_well",
    },
    Mutant {
        name: "give up a tail's seat before its fact is recorded",
        file: APPEND,
        from: "    async fn park(&mut self, filling: Filling) -> Result<(), Error> {
        let Filling { slot, lease, tail, writer, digester } = filling;
        let (size_bytes, crc64) = join(tail.as_ref(), &digester.finish());
        let mark = writer.park().await.map_err(refuse_full)?;",
        to: "    async fn park(&mut self, filling: Filling) -> Result<(), Error> {
        let Filling { slot, lease, tail, writer, digester } = filling;
        let (size_bytes, crc64) = join(tail.as_ref(), &digester.finish());
        let mark = writer.park().await.map_err(refuse_full)?;
        drop(lease);
        let lease = self.end.clone();",
        package: CORE,
        tests: &["--test", "stories"],
        dies: "every_story_ends_well",
    },
    Mutant {
        name: "give up a part's seat when its client is gone",
        file: PUT_PART,
        from: "        let room = Arc::clone(self);
        self.see_through(async move {
            let landed = room.offer_part(upload, part).await;
            drop(lease);
            landed
        })
        .await",
        to: "        let landed = self.offer_part(upload, part).await;
        drop(lease);
        landed",
        package: CORE,
        tests: &["--test", "engine"],
        dies: "a_part_is_recorded_before_its_seat_is_free_even_when_its_client_is_gone",
    },
    Mutant {
        name: "park a tail without a fact",
        file: APPEND,
        from: "        self.keep(Fact::TailParked(tail), lease).await",
        to: "        let early = tail.clone();
        self.keep(Fact::TailParked(tail), lease).await.ok();
        self.upload.tail = Some(early);
        Ok(())",
        package: CORE,
        tests: &["--test", "stories"],
        dies: "every_story_ends_well",
    },
    Mutant {
        name: "discard an upload before it is recorded as abandoned",
        file: ABANDON,
        from: "        if self.record(&upload, Fact::Abandoned(ending)).await? == Recorded::Stale {",
        to: "        self.store.discard(&upload.place).await?;
        if self.record(&upload, Fact::Abandoned(ending)).await? == Recorded::Stale {",
        package: CORE,
        tests: &["--test", "stories"],
        dies: "every_story_ends_well",
    },
    Mutant {
        name: "land on disk without fdatasync",
        file: "crates/towline-backends/src/disk/writer.rs",
        from: "        self.file().sync_bytes()?;\n        self.disk.staging.settle",
        to: "        self.disk.staging.settle",
        package: BACKENDS,
        tests: &["--lib", "power_loss"],
        dies: "what_was_acknowledged_survives_power_loss_at_any_moment",
    },
    Mutant {
        name: "seal on disk without fsync of the file",
        file: "crates/towline-backends/src/disk/seal.rs",
        from: "        file.resize(assembly.total_bytes)?;\n    }\n    file.sync_all()?;",
        to: "        file.resize(assembly.total_bytes)?;\n    }",
        package: BACKENDS,
        tests: &["--lib", "power_loss"],
        dies: "a_seal_that_was_killed_at_any_change_and_repeated_survives_power_loss",
    },
    Mutant {
        name: "publish on disk without fsync of the folder",
        file: "crates/towline-backends/src/disk/completed.rs",
        from: "        from.remove_file(name)?;\n        folder.sync()",
        to: "        from.remove_file(name)",
        package: BACKENDS,
        tests: &["--lib", "power_loss"],
        dies: "a_seal_that_was_killed_at_any_change_and_repeated_survives_power_loss",
    },
    Mutant {
        name: "answer for facts that are not committed",
        file: "crates/towline-backends/src/sqlite/writer.rs",
        from: "        transaction.commit().map_err(Failure::OfAll)",
        to: "        drop(transaction);\n        Ok(())",
        package: BACKENDS,
        tests: &["--test", "sqlite_kill"],
        dies: "acknowledged_facts_survive_a_kill",
    },
    Mutant {
        name: "commit without waiting for the disk",
        file: "crates/towline-backends/src/sqlite/connection.rs",
        from: "connection.pragma_update(None, \"synchronous\", \"full\")?;",
        to: "connection.pragma_update(None, \"synchronous\", \"normal\")?;",
        package: BACKENDS,
        tests: &["--lib", "a_commit_waits"],
        dies: "a_commit_waits_for_the_disk",
    },
    Mutant {
        name: "seal what was learnt after the list was looked at",
        file: "crates/towline-core/src/engine/finish.rs",
        from: "&& !self.is_as_listed(&upload, listed).await?",
        to: "&& false && !self.is_as_listed(&upload, listed).await?",
        package: CORE,
        tests: &["--test", "engine", "direct"],
        dies: "a_list_holds_also_while_others_look_and_the_store_has_more",
    },
    Mutant {
        name: "heal a broken seal over a newer file",
        file: "crates/towline-core/src/engine/janitor.rs",
        from: "if room.is_superseded(&upload).await? {",
        to: "if false && room.is_superseded(&upload).await? {",
        package: CORE,
        tests: &["--test", "engine", "janitor"],
        dies: "a_seal_that_broke_off_is_not_healed_over_a_newer_file",
    },
    Mutant {
        name: "trust what landed without comparing",
        file: "crates/towline-client/src/put/compare.rs",
        from: "Ok::<_, Trouble>(is_same(&landed, &computed).then_some(",
        to: "Ok::<_, Trouble>((landed.number > 0).then_some(",
        package: CLIENT,
        tests: &["--lib"],
        dies: "every_life_ends_in_the_right_bytes",
    },
    Mutant {
        name: "finish a file that changed while it was read",
        file: "crates/towline-client/src/put/run.rs",
        from: "        file.check_unchanged()?;\n        Ok(Box::pin(self.finish",
        to: "        Ok(Box::pin(self.finish",
        package: CLIENT,
        tests: &["--lib"],
        dies: "a_file_that_changes_while_it_is_read_is_not_made_visible",
    },
];
