//! Python's pickles, as far as state dicts need them.
//!
//! in: bytes that somebody else wrote; out: the values in them, as a table of nodes that name each
//! other by number. Nothing is imported, called or built: a class is its name, a call is the
//! callable's name with its arguments.
//! source: `pickletools.py` of `CPython` (what each instruction does), `torch/serialization.py` (what
//! is in it). Protocols 2 to 5, without what lies outside the file.
//!
//! A pickle is a program, so its cost is bounded whatever it says: by its bytes, its
//! instructions (each makes one value at most, and what it takes from the stack lies there), and
//! by how deep values hold others. Values that stand at several places are one node, so that a
//! small file cannot name an enormous tree; since nodes lie in one table, dropping them needs no
//! recursion.
//!
//! One file, though long: the instructions of one machine, which share its stack.

use std::collections::HashMap;

use crate::checkpoint::{CheckpointError, Reader};

/// Bytes of a pickle; that of a network of a thousand tensors has a tenth of a megabyte.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Instructions; a tensor takes about 40.
const MAX_INSTRUCTIONS: usize = 1 << 20;
/// Values inside each other; a tensor of a state dict is 4 deep.
const MAX_DEPTH: u8 = 64;

/// A value by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// A class or function, by its module and name.
    Class(&'a str, &'a str),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A dictionary, in the order of its entries; a key may come again.
    Dict(Vec<(Id, Id)>),
    /// A call that was not made: what would be called, and the tuple of its arguments.
    Call(Id, Id),
    /// What the file holds elsewhere, by the description of where.
    Persistent(Id),
    /// `None`.
    Nothing,
    /// What state dicts of tensors have no use for: floats, bytes, sets, large numbers.
    Other,
}

/// The values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    nodes: Vec<(Node<'a>, u8)>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle from the front of what is left.
    ///
    /// # Errors
    /// It ends too early, holds an instruction that is none, or costs more than any state dict does.
    pub(super) fn read(from: &mut Reader<'a>) -> Result<Self, CheckpointError> {
        let whole = from.rest;
        let mut bytes = Reader { rest: &whole[..whole.len().min(MAX_BYTES)], format: from.format };
        let mut machine = Machine::default();
        for _ in 0..MAX_INSTRUCTIONS {
            if let Some(root) = machine.step(&mut bytes)? {
                from.rest = &whole[whole.len().min(MAX_BYTES) - bytes.rest.len()..];
                return Ok(Self { nodes: machine.nodes, root });
            }
        }
        Err(broken(format!("it has more than {MAX_INSTRUCTIONS} instructions")))
    }

    /// The outermost value.
    pub(super) fn root(&self) -> &Node<'a> {
        self.get(self.root)
    }

    /// A value.
    pub(super) fn get(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize].0
    }

    /// The elements of a tuple; `None` of anything else.
    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A text; `None` of anything else.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is not negative; `None` of anything else.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Node::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }
}

/// The state of the machine that a pickle is a program of.
#[derive(Default)]
struct Machine<'a> {
    /// Each with how deep it is.
    nodes: Vec<(Node<'a>, u8)>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Does one instruction; the result, where it was the last.
    // One arm for each instruction, in the order of the protocol.
    #[allow(clippy::too_many_lines, clippy::match_same_arms)]
    fn step(&mut self, bytes: &mut Reader<'a>) -> Result<Option<Id>, CheckpointError> {
        let what = "a pickle";
        match bytes.bytes(1, what)?[0] {
            0x80 => drop(bytes.bytes(1, what)?), // PROTO
            0x95 => drop(bytes.bytes(8, what)?), // FRAME
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'N' => self.leaf(Node::Nothing),
            0x88 | 0x89 => self.leaf(Node::Other), // true, false
            b'K' => self.leaf(Node::Int(i64::from(bytes.bytes(1, what)?[0]))),
            b'M' => self.leaf(Node::Int(little_endian(bytes.bytes(2, what)?))),
            b'J' => {
                let number = little_endian(bytes.bytes(4, what)?);
                self.leaf(Node::Int(i64::from(number as i32)));
            }
            0x8a => {
                let len = usize::from(bytes.bytes(1, what)?[0]);
                self.long(bytes.bytes(len, what)?);
            }
            0x8b => {
                let len = bytes.u32(what)? as usize;
                self.long(bytes.bytes(len, what)?);
            }
            b'G' => {
                bytes.bytes(8, what)?;
                self.leaf(Node::Other);
            }
            b'X' => {
                let len = bytes.u32(what)? as usize;
                self.text(bytes.bytes(len, what)?)?;
            }
            0x8c => {
                let len = usize::from(bytes.bytes(1, what)?[0]);
                self.text(bytes.bytes(len, what)?)?;
            }
            0x8d => {
                let len = length(bytes)?;
                self.text(bytes.bytes(len, what)?)?;
            }
            // Strings of Python 2, and bytes.
            b'U' | b'C' => {
                let len = usize::from(bytes.bytes(1, what)?[0]);
                self.string(bytes.bytes(len, what)?);
            }
            b'T' | b'B' => {
                let len = bytes.u32(what)? as usize;
                self.string(bytes.bytes(len, what)?);
            }
            0x8e | 0x96 => {
                let len = length(bytes)?;
                self.string(bytes.bytes(len, what)?);
            }
            b')' => self.leaf(Node::Tuple(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.holding(items.clone(), Node::Tuple(items))?;
            }
            len @ 0x85..=0x87 => {
                let items = self.take(usize::from(len - 0x84))?;
                self.holding(items.clone(), Node::Tuple(items))?;
            }
            b']' => self.leaf(Node::List(Vec::new())),
            b'}' => self.leaf(Node::Dict(Vec::new())),
            0x8f => self.leaf(Node::Other), // an empty set
            b'l' => {
                let items = self.pop_to_mark()?;
                self.holding(items.clone(), Node::List(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.leaf(Node::Dict(Vec::new()));
                self.set(items)?;
            }
            0x91 => {
                self.pop_to_mark()?; // a frozen set
                self.leaf(Node::Other);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            0x90 => drop(self.pop_to_mark()?), // into a set
            b's' => {
                let items = self.take(2)?;
                self.set(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            b'c' => {
                let (module, name) = (line(bytes)?, line(bytes)?);
                self.leaf(Node::Class(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: Id| match self.nodes[id.0 as usize].0 {
                    Node::Text(text) => Ok(text),
                    _ => Err(broken("a class has no name")),
                };
                let class = Node::Class(text(module)?, text(name)?);
                self.leaf(class);
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args)?;
            }
            0x92 => {
                let (_named, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, args)?;
            }
            // The state that a made object would be given: tensors need none.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let place = self.pop()?;
                self.holding(vec![place], Node::Persistent(place))?;
            }
            b'q' => self.remember(u32::from(bytes.bytes(1, what)?[0]))?,
            b'r' => self.remember(bytes.u32(what)?)?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.recall(u32::from(bytes.bytes(1, what)?[0]))?,
            b'j' => self.recall(bytes.u32(what)?)?,
            other => return Err(broken(format!("its instruction {other:#04x} is not known"))),
        }
        Ok(None)
    }

    fn leaf(&mut self, node: Node<'a>) {
        self.push(node, 0);
    }

    fn push(&mut self, node: Node<'a>, depth: u8) {
        self.stack.push(Id(self.nodes.len() as u32)); // as many as instructions at most
        self.nodes.push((node, depth));
    }

    /// Pushes a value that holds these.
    fn holding(&mut self, inside: Vec<Id>, node: Node<'a>) -> Result<(), CheckpointError> {
        let depth = self.depth_of_holder(&inside)?;
        self.push(node, depth);
        Ok(())
    }

    fn depth_of_holder(&self, inside: &[Id]) -> Result<u8, CheckpointError> {
        let deepest = inside.iter().map(|id| self.nodes[id.0 as usize].1).max();
        match deepest.map_or(0, |depth| depth + 1) {
            depth if depth > MAX_DEPTH => {
                Err(broken(format!("its values stand more than {MAX_DEPTH} deep in each other")))
            }
            depth => Ok(depth),
        }
    }

    fn long(&mut self, bytes: &[u8]) {
        // Two's complement of as many bytes as it takes.
        let fits = bytes.len() <= 8;
        let sign = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let number = bytes
            .iter()
            .take(8)
            .rev()
            .fold(if sign { -1_i64 } else { 0 }, |n, &byte| (n << 8) | i64::from(byte));
        self.leaf(if fits { Node::Int(number) } else { Node::Other });
    }

    fn text(&mut self, bytes: &'a [u8]) -> Result<(), CheckpointError> {
        let text = str::from_utf8(bytes).map_err(|_| broken("a text is not UTF-8"))?;
        self.leaf(Node::Text(text));
        Ok(())
    }

    /// What Python 2 calls a text and Python 3 bytes.
    fn string(&mut self, bytes: &'a [u8]) {
        self.leaf(str::from_utf8(bytes).map_or(Node::Other, Node::Text));
    }

    fn top(&self) -> Result<Id, CheckpointError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.get(floor..).and_then(|above| above.last()).copied().ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Id, CheckpointError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn take(&mut self, count: usize) -> Result<Vec<Id>, CheckpointError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let first = self.stack.len().checked_sub(count).filter(|&first| first >= floor);
        Ok(self.stack.split_off(first.ok_or_else(empty)?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, CheckpointError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or_else(|| broken("a mark is missing"))?))
    }

    /// The container on top of the stack, which will hold these, too.
    fn container(&mut self, inside: &[Id]) -> Result<&mut Node<'a>, CheckpointError> {
        let depth = self.depth_of_holder(inside)?;
        let top = self.top()?;
        let (node, own) = &mut self.nodes[top.0 as usize];
        *own = depth.max(*own);
        Ok(node)
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), CheckpointError> {
        match self.container(&items)? {
            Node::List(list) => list.extend(items),
            Node::Other | Node::Call(..) => {}
            _ => return Err(broken("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), CheckpointError> {
        let (entries, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(broken("a key has no value"));
        }
        match self.container(&items)? {
            Node::Dict(dict) => dict.extend(entries.iter().map(|[key, value]| (*key, *value))),
            Node::Other | Node::Call(..) => {}
            _ => return Err(broken("an entry is set in what is no dictionary")),
        }
        Ok(())
    }

    fn call(&mut self, callable: Id, args: Id) -> Result<(), CheckpointError> {
        let is_dict =
            self.nodes[callable.0 as usize].0 == Node::Class("collections", "OrderedDict");
        let has_no_args = self.nodes[args.0 as usize].0 == Node::Tuple(Vec::new());
        if is_dict && has_no_args {
            self.leaf(Node::Dict(Vec::new()));
            return Ok(());
        }
        self.holding(vec![callable, args], Node::Call(callable, args))
    }

    fn remember(&mut self, at: u32) -> Result<(), CheckpointError> {
        let top = self.top()?;
        self.memo.insert(at, top);
        Ok(())
    }

    fn recall(&mut self, at: u32) -> Result<(), CheckpointError> {
        let known = self.memo.get(&at).copied();
        self.stack.push(known.ok_or_else(|| broken(format!("value {at} was not remembered")))?);
        Ok(())
    }
}

fn little_endian(bytes: &[u8]) -> i64 {
    bytes.iter().rev().fold(0, |number, &byte| (number << 8) | i64::from(byte))
}

fn length(bytes: &mut Reader<'_>) -> Result<usize, CheckpointError> {
    let number = little_endian(bytes.bytes(8, "a pickle")?);
    usize::try_from(number).map_err(|_| broken("a length is too large"))
}

fn line<'a>(bytes: &mut Reader<'a>) -> Result<&'a str, CheckpointError> {
    let end = bytes.rest.iter().position(|&byte| byte == b'\n');
    let line = bytes.bytes(end.ok_or_else(|| broken("a name has no end"))? + 1, "a name")?;
    str::from_utf8(&line[..line.len() - 1]).map_err(|_| broken("a name is not UTF-8"))
}

fn empty() -> CheckpointError {
    broken("its stack is empty")
}

fn broken(what: impl Into<String>) -> CheckpointError {
    CheckpointError::torch(format!("a pickle in it cannot be read: {}", what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Pickle<'_>, CheckpointError> {
        Pickle::read(&mut Reader { rest: bytes, format: "a torch checkpoint" })
    }

    fn refusal(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn numbers_texts_and_containers_are_read_as_python_wrote_them() {
        // pickle.dumps({"a": [1, -2, 70000, 2**40, -1], "b": ("x", None)}, 2)
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffJ\
                      p\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01J\xff\xff\xff\xffeX\x01\x00\x00\
                      \x00bq\x03X\x01\x00\x00\x00xq\x04N\x86q\x05u.";
        let pickle = read(bytes).unwrap();
        let Node::Dict(entries) = pickle.root() else { panic!("{pickle:?}") };
        let names: Vec<_> = entries.iter().map(|(key, _)| pickle.text(*key).unwrap()).collect();
        assert_eq!(names, ["a", "b"]);
        let Node::List(numbers) = pickle.get(entries[0].1) else { panic!("{pickle:?}") };
        let numbers: Vec<_> = numbers.iter().map(|id| pickle.get(*id)).collect();
        let expected = [1, -2, 70_000, 1 << 40, -1].map(Node::Int);
        assert_eq!(numbers, expected.iter().collect::<Vec<_>>());
        let pair = pickle.tuple(entries[1].1).unwrap();
        assert_eq!((pickle.text(pair[0]), pickle.get(pair[1])), (Some("x"), &Node::Nothing));
    }

    #[test]
    fn protocol_4_has_frames_and_classes_from_the_stack() {
        // pickle.dumps(collections.OrderedDict(w=(5,)), 4)
        let bytes = b"\x80\x04\x95\x2d\0\0\0\0\0\0\0\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\
                      \x93\x94)R\x94\x8c\x01w\x94K\x05\x85\x94s.rest";
        let mut reader = Reader { rest: bytes, format: "a torch checkpoint" };
        let pickle = Pickle::read(&mut reader).unwrap();
        assert_eq!(reader.rest, b"rest");
        let Node::Dict(entries) = pickle.root() else { panic!("{pickle:?}") };
        assert_eq!(pickle.size(pickle.tuple(entries[0].1).unwrap()[0]), Some(5));
    }

    #[test]
    fn a_call_is_not_made() {
        let pickle = read(b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR.").unwrap();
        let Node::Call(callable, _) = pickle.root() else { panic!("{pickle:?}") };
        assert_eq!(pickle.get(*callable), &Node::Class("os", "system"));
    }

    #[test]
    fn what_would_cost_without_bound_is_refused() {
        let deep = [&b"\x80\x02)"[..], &vec![0x85; 100_000], b"."].concat();
        assert!(refusal(&deep).contains("more than 64 deep"), "{}", refusal(&deep));
        // Into a list that is in itself, again and again.
        let cycle = [&b"\x80\x02]"[..], &b"2a".repeat(100), b"."].concat();
        assert!(refusal(&cycle).contains("deep"), "{}", refusal(&cycle));
        let mut doubled = b"\x80\x02)q\x00".to_vec();
        for at in 0..40 {
            doubled.extend([b'h', at, b'h', at, 0x86, b'q', at + 1]);
        }
        doubled.push(b'.');
        assert_eq!(read(&doubled).unwrap().nodes.len(), 41, "shared, not copied");
        let long = [&b"\x80\x02"[..], &b"N0".repeat(MAX_INSTRUCTIONS), b"."].concat();
        assert!(refusal(&long).contains("instructions"), "{}", refusal(&long));
        for lies in [
            &b"X\xff\xff\xff\xffa."[..],
            b"\x8b\xff\xff\xff\x7fa.",
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        ] {
            assert!(read(lies).is_err());
        }
    }

    #[test]
    fn what_is_no_pickle_is_refused() {
        for bytes in [
            &b""[..],
            b".",
            b"\x80\x02",
            b"(",
            b"t.",
            b"(0.",
            b"N\x86.",
            b"Na.",
            b"Q",
            b"R.",
            b"h\x01.",
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        assert!(refusal(b"N(NNu.").contains("no dictionary"));
        assert!(refusal(b"\xff").contains("0xff is not known"));
    }
}
