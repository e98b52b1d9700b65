//! What waits to be written, in its order. Where nobody reads, it grows no more than with the number of files.

use std::collections::VecDeque;

/// When so much waits, what can be done without is left out.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// What belongs together is joined up to here: a reader who takes one piece after the other is seen to be alive.
const PIECE_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// Standard output.
    Data,
    /// Standard error.
    Words,
}

/// Written at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) to: Channel,
    pub(super) text: String,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    waiting_bytes: usize,
}

impl Queue {
    /// Adds what must not be lost: of each file there is only so much of it.
    pub(super) fn push(&mut self, to: Channel, text: &str) {
        self.waiting_bytes += text.len();
        match self.pieces.back_mut() {
            Some(last) if last.to == to && last.text.len() + text.len() <= PIECE_BYTES => {
                last.text.push_str(text);
            }
            Some(_) | None => self.pieces.push_back(Piece { to, text: text.to_owned() }),
        }
    }

    /// Adds what is of use only to somebody who reads.
    pub(super) fn offer(&mut self, to: Channel, text: &str) {
        if self.waiting_bytes + text.len() <= WAITING_BYTES_MAX {
            self.push(to, text);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.waiting_bytes -= piece.text.len();
        Some(piece)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_comes_in_its_order_and_neighbours_in_one_piece() {
        let mut queue = Queue::default();
        for (to, text) in [(Channel::Data, "a\n"), (Channel::Data, "b\n"), (Channel::Words, "c\n")] {
            queue.push(to, text);
        }
        queue.offer(Channel::Data, "d\n");
        let pieces: Vec<Piece> = std::iter::from_fn(|| queue.pop()).collect();
        let piece = |to, text: &str| Piece { to, text: text.to_owned() };
        let expected =
            [piece(Channel::Data, "a\nb\n"), piece(Channel::Words, "c\n"), piece(Channel::Data, "d\n")];
        assert_eq!(pieces, expected);
        assert!(queue.is_empty());
    }

    #[test]
    fn where_nobody_reads_only_what_must_arrive_is_kept() {
        let mut queue = Queue::default();
        let line = "x".repeat(1000);
        for _ in 0..10_000 {
            queue.offer(Channel::Data, &line);
        }
        queue.push(Channel::Data, "done\n");
        let pieces: Vec<Piece> = std::iter::from_fn(|| queue.pop()).collect();
        let bytes: usize = pieces.iter().map(|piece| piece.text.len()).sum();
        assert!((1_000_000..=WAITING_BYTES_MAX + 5).contains(&bytes), "{bytes}");
        assert!(pieces.iter().all(|piece| piece.text.len() <= PIECE_BYTES));
        assert!(pieces.last().unwrap().text.ends_with("done\n"));
        // Whoever reads again hears all again.
        queue.offer(Channel::Data, &line);
        assert!(!queue.is_empty());
    }
}
