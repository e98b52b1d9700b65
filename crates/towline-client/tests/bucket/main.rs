//! Uploads straight to buckets, on two servers of S3 that prove parts differently: Garage by CRC-64/NVME, Swift by MD5.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail where something is amiss")]

mod lives;
mod refusals;
mod support;
mod tampering;

use lives::{
    a_file_gets_up_in_parts_and_comes_back, a_file_that_cannot_be_read_is_no_fault_of_the_line,
    a_file_that_was_replaced_is_not_read_on, a_lost_answer_is_made_up_for,
    a_part_that_differs_is_seen_and_sent_again, a_stream_may_turn_out_to_be_empty,
    an_upload_is_found_again_by_another_machine, an_upload_that_nothing_has_landed_in_goes_on,
    small_files_go_at_once, unfinished_uploads_are_listed, what_a_file_is_told_to_be_is_kept,
    what_is_given_up_is_gone,
};
use support::Server;
use tampering::a_part_that_came_otherwise_has_not_landed;

macro_rules! on_both {
    ($($life:ident),+ $(,)?) => {
        mod garage {
            $(#[tokio::test] async fn $life() { Box::pin(crate::$life(&crate::Server::garage())).await })+
        }
        mod swift {
            $(#[tokio::test] async fn $life() { Box::pin(crate::$life(&crate::Server::swift())).await })+
        }
    };
}

on_both!(
    a_file_gets_up_in_parts_and_comes_back,
    an_upload_is_found_again_by_another_machine,
    an_upload_that_nothing_has_landed_in_goes_on,
    a_part_that_differs_is_seen_and_sent_again,
    a_lost_answer_is_made_up_for,
    what_is_given_up_is_gone,
    unfinished_uploads_are_listed,
    small_files_go_at_once,
    a_stream_may_turn_out_to_be_empty,
    what_a_file_is_told_to_be_is_kept,
    a_file_that_cannot_be_read_is_no_fault_of_the_line,
    a_file_that_was_replaced_is_not_read_on,
    a_part_that_came_otherwise_has_not_landed,
);
