import Launch
import Linux

/// Descriptors that a plan refers to by number, kept open until its launch has returned.
final class HeldDescriptors {
    private var numbers: [CInt] = []

    func hold(_ descriptor: consuming Descriptor) -> CInt {
        let number = descriptor.release()
        numbers.append(number)
        return number
    }

    deinit { for number in numbers { _ = Descriptor(owning: number) } }
}
