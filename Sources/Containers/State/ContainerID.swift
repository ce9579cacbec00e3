/// Checks an id: 1 to 1,024 characters of `A–Z a–z 0–9 _ + . -`, and neither `.` nor `..`.
///
/// Ids become names of directories and cgroups, so nothing else can be let through.
func validate(id: String) throws(ContainerError) {
    guard !id.isEmpty else { throw ContainerError(.badID, "container id cannot be empty") }
    guard id.utf8.count <= 1024 else { throw ContainerError(.badID, "container id is longer than 1024 characters") }
    guard id != "." && id != ".." else { throw ContainerError(.badID, "invalid container id: \"\(id)\"") }
    for byte in id.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "-"):
            continue
        default:
            throw ContainerError(
                .badID, "invalid container id: only letters, digits, '_', '+', '-' and '.' are allowed")
        }
    }
}
