import Linux

/// What stands behind the blocks of a ``Memory`` device: it lets the guest have them, and takes them away. It is called
/// with the device's lock held, on the loop of the device or, at a restore, in the thread that restores.
public protocol MemoryBlocks: AnyObject, Sendable {
    /// Lets the guest have blocks, by their numbers, which it has not. When it returns, the guest may use them at once.
    ///
    /// - Throws: where the host refuses; the guest has none of them then.
    func plug(_ blocks: Range<Int>) throws(SystemError)

    /// Takes blocks from the guest that it has, with what is in them.
    ///
    /// - Returns: whether the host has their pages back; where not, the guest has them no more nevertheless.
    /// - Throws: where the host refuses; the guest has all of them then.
    func unplug(_ blocks: Range<Int>) throws(SystemError) -> Bool
}
