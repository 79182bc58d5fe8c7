//! Each position once and in order, whatever the interleaving.

use super::*;
use kmrl_domain::values::Status;
use uuid::Uuid;

fn event(position: i64, transient: bool) -> LiveEvent {
    LiveEvent {
        position,
        transient,
        document_id: Uuid::nil(),
        status: Status::Processing,
        source: Arc::from("scan"),
        department: None,
        uploader: Arc::from("key:admin"),
        event_type: None,
        json: "{}".into(),
        cloud_event: None,
    }
}

/// A small deterministic generator (xorshift64*), so that a failure names its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// A log of which some positions are no document's, and a client that may reconnect.
struct Model {
    dice: Dice,
    ring: Ring,
    head: i64,
    feed: Feed,
    got: Vec<i64>,
    begun: i64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let head = i64::try_from(dice.below(30)).unwrap();
        let ring = Ring::new(1 + usize::try_from(dice.below(8)).unwrap(), head);
        let after = (dice.below(2) == 0).then_some(head / 2);
        Self {
            feed: Feed::open(&ring, after),
            begun: after.unwrap_or(head),
            got: Vec::new(),
            dice,
            ring,
            head,
        }
    }

    /// Every fifth position is another kind of stream: it never becomes a message.
    fn is_message(position: i64) -> bool {
        position % 5 != 0
    }

    fn publish(&mut self) {
        let from = self.head;
        self.head += 1 + i64::try_from(self.dice.below(6)).unwrap();
        let batch = (from + 1..=self.head)
            .filter(|p| Self::is_message(*p))
            .map(|p| event(p, false))
            .collect();
        self.ring.publish(batch, self.head);
        if self.dice.below(3) == 0 {
            self.ring.put(event(self.head, true));
        }
    }

    /// One step of a client; `false` when there is nothing to do.
    fn step(&mut self) -> bool {
        if let Some((after, until)) = self.feed.replay() {
            let through = until.min(after + 1 + i64::try_from(self.dice.below(4)).unwrap());
            let page = after + 1..=through;
            self.got.extend(page.filter(|p| Self::is_message(*p)));
            self.feed.replayed(through);
            return true;
        }
        match self.feed.receive_now() {
            Some(Received::Event(e)) if e.transient => {
                assert!(self.got.last().is_none_or(|last| *last <= e.position));
                true
            }
            Some(Received::Event(e)) => {
                self.got.push(e.position);
                true
            }
            Some(Received::Behind) => true,
            Some(Received::Closed) => panic!("the ring is still there"),
            None => false,
        }
    }

    fn reconnect(&mut self) {
        let last = self.got.last().copied().unwrap_or(self.begun);
        let resume = match self.feed.checkpoint() {
            Some(position) if self.dice.below(2) == 0 => position,
            _ => last,
        };
        assert!(resume >= last);
        self.feed = Feed::open(&self.ring, Some(resume));
    }
}

#[test]
fn each_position_once_and_in_order_whatever_the_interleaving() {
    for seed in 1..3_000 {
        let mut model = Model::new(seed);
        for _ in 0..200 {
            match model.dice.below(20) {
                0..5 => model.publish(),
                5 => model.reconnect(),
                _ => drop(model.step()),
            }
        }
        while model.step() {}
        let expected: Vec<i64> = (model.begun + 1..=model.head)
            .filter(|p| Model::is_message(*p))
            .collect();
        assert_eq!(model.got, expected, "seed {seed}");
        assert_eq!(model.feed.checkpoint(), Some(model.head), "seed {seed}");
    }
}

#[test]
fn what_is_announced_but_not_yet_sent_comes_once() {
    let ring = Ring::new(8, 4);
    ring.publish(vec![event(5, false)], 5);
    let mut feed = Feed::open(&ring, Some(4));
    // As when the subscription fell between the announcement of 5 and its sending.
    ring.put(event(5, false));
    assert_eq!(feed.replay(), Some((4, 5)));
    feed.replayed(5);
    assert_eq!(feed.receive_now(), None);
}

#[test]
fn a_client_ahead_of_this_process_waits_for_what_it_has_not_seen() {
    let ring = Ring::new(8, 4);
    let mut feed = Feed::open(&ring, Some(6));
    assert_eq!(feed.replay(), None);
    ring.publish((5..=7).map(|p| event(p, false)).collect(), 7);
    assert!(matches!(feed.receive_now(), Some(Received::Event(e)) if e.position == 7));
    assert_eq!(feed.receive_now(), None);
}

#[test]
fn progress_from_before_the_cursor_is_left_out() {
    let ring = Ring::new(8, 4);
    let mut feed = Feed::open(&ring, Some(3));
    ring.put(event(4, true));
    ring.publish(vec![event(5, false)], 5);
    feed.replayed(5);
    assert_eq!(feed.receive_now(), None);
}

#[test]
fn there_is_no_checkpoint_while_something_waits_in_the_ring() {
    let ring = Ring::new(8, 4);
    let mut feed = Feed::open(&ring, None);
    ring.publish(vec![event(5, false)], 6);
    assert_eq!(feed.checkpoint(), None);
    assert!(feed.receive_now().is_some());
    assert_eq!(feed.checkpoint(), Some(6));
}

#[tokio::test]
async fn waiting_ends_with_the_message() {
    let ring = Ring::new(8, 0);
    let mut feed = Feed::open(&ring, None);
    let publish = async { ring.publish(vec![event(1, false)], 1) };
    let (received, ()) = tokio::join!(feed.receive(), publish);
    assert!(matches!(received, Received::Event(e) if e.position == 1));
}
