//! The S3 door as its users know it: sessions of the AWS CLI, boto3 and rclone, with kills in the middle.

mod aws;
mod aws_parts;
mod aws_refusals;
mod boto;
mod keys;
mod kills;
mod rclone;
mod stage;
