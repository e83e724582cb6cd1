//! A fault that only a fuzzer finds which is guided by what it reaches: four right bytes in a row are one in four
//! billion. The suite makes sure that it is found.

pub(crate) fn run(data: &[u8]) {
    if data.first() == Some(&b'b')
        && data.get(1) == Some(&b'u')
        && data.get(2) == Some(&b'g')
        && data.get(3) == Some(&b's')
    {
        panic!("the planted fault");
    }
}
