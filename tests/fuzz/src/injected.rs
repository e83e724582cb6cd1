//! A fault that only a coverage-guided fuzzer finds: the chance of four matching bytes is one in four billion. The
//! suite checks that it is found.

pub(crate) fn run(data: &[u8]) {
    if data.first() == Some(&b'b')
        && data.get(1) == Some(&b'u')
        && data.get(2) == Some(&b'g')
        && data.get(3) == Some(&b's')
    {
        panic!("the injected fault");
    }
}
