import Linux
import OCI

/// Whether the bundle's document asks for a terminal. A document that can't be read asks for none: what is wrong with
/// it is said by who uses it.
func bundleWantsTerminal(_ bundle: String) -> Bool {
    guard let document = try? readFile("\(bundle)/config.json"), mayWantTerminal(document) else { return false }
    return (try? Configuration(json: document))?.process?.terminal == true
}

/// A document without the word can't ask for one; most starts are spared a second reading by this.
func mayWantTerminal(_ document: [UInt8]) -> Bool {
    let word = Array("\"terminal\"".utf8)
    guard document.count >= word.count else { return false }
    return document.withUnsafeBufferPointer { bytes in
        for start in 0...(bytes.count - word.count) where bytes[start] == word[0] {
            var index = 1
            while index < word.count, bytes[start + index] == word[index] { index += 1 }
            if index == word.count { return true }
        }
        return false
    }
}
