import Linux

/// A console of the guest's and what it leads to.
struct ConsoleChoice: Hashable {
    enum Kind: String { case serial, virtio }

    enum End: Hashable {
        /// This program's standard input and output.
        case standard
        case file(String)
        /// A Unix socket that is listened at: one program at a time.
        case socket(String)
        case none
    }

    var kind: Kind
    var end: End

    init(_ kind: Kind, _ end: End) {
        self.kind = kind
        self.end = end
    }

    /// `[serial,|virtio,]stdio|file=PATH|socket=PATH|none`, or a kind alone for this terminal.
    init(_ option: String, _ text: String) throws(Failure) {
        let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let named = Kind(rawValue: parts[0])
        kind = named ?? .serial
        let end = named == nil ? text : parts.count == 2 ? parts[1] : "stdio"
        switch Arguments.keyAndValue(end) {
        case ("stdio", nil): self.end = .standard
        case ("none", nil): self.end = .none
        case ("file", let path?) where !path.isEmpty: self.end = .file(path)
        case ("socket", let path?) where !path.isEmpty: self.end = .socket(path)
        default:
            throw Failure(
                .usage,
                "\(option): \(quoted(text)) is none of stdio, file=PATH, socket=PATH and none, with serial, or virtio, "
                    + "before it or not")
        }
    }
}
