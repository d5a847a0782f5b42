//! Prints the module of JavaScript with the numbers that cross the border: `cargo xtask npm` puts it into `build/codes.js`.

fn main() {
    print!("{}", everwire_js::javascript());
}
