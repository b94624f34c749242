//! The digits of a double by the algorithm Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and
//! Accurately with Integers", 2010), which redis-server prints scores with.
//!
//! The digits always read back as the same double. They are the shortest such digits in all but about one case
//! in a thousand, and then a client sees the longer ones: for this reason the shortest digits of the standard
//! library cannot be used.

/// The most digits that are needed, with some margin.
const MAX_DIGITS: usize = 20;

/// Decimal digits and the position of the last of them: the value is the digits times ten to the power of
/// `last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: [u8; MAX_DIGITS],
    count: usize,
    /// The power of ten of the last digit.
    pub(super) last: i32,
}

impl Decimal {
    /// The digits as ASCII, the first of them not zero.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, digit: u64) {
        // Leading zeros are not digits.
        if (digit != 0 || self.count > 0) && self.count < MAX_DIGITS {
            #[allow(clippy::cast_possible_truncation)]
            let digit = b'0' + (digit % 10) as u8;
            self.digits[self.count] = digit;
            self.count += 1;
        }
    }

    /// Decrements the last digit while that brings the number nearer to the value. All distances are from the
    /// upper boundary and in the same unit: `rest` is that of the digits, `target` that of the value, `limit`
    /// that of the lower boundary, and `step` is one unit of the last digit.
    fn approach(&mut self, limit: u64, mut rest: u64, step: u64, target: u64) {
        let Some(digit) = self.count.checked_sub(1).and_then(|last| self.digits.get_mut(last)) else {
            return;
        };
        while rest < target
            && limit - rest >= step
            && (rest.wrapping_add(step) < target
                || target - rest > rest.wrapping_add(step).wrapping_sub(target))
        {
            *digit -= 1;
            rest += step;
        }
    }
}

/// A number without sign: `fraction` times two to the power of `exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

impl Scaled {
    /// The same number with the highest bit of the fraction set.
    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift.cast_signed() }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction);
        #[allow(clippy::cast_possible_truncation)]
        let fraction = ((product + (1 << 63)) >> 64) as u64;
        Self { fraction, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The power of ten of the first of [`POWERS`].
const FIRST_POWER: i32 = -348;
/// The step from one of [`POWERS`] to the next.
const POWER_STEP: i32 = 8;
/// The range for the exponent of a number times a power of ten, so that its integer part fits into 32 bits.
const EXPONENTS: std::ops::RangeInclusive<i32> = -60..=-32;

/// The first 64 bits, rounded, of the powers of ten -348, -340, ... 340.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288, 0xbaae_e17f_a23e_bf76, 0x8b16_fb20_3055_ac76, 0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d, 0xe61a_cf03_3d1a_45df, 0xab70_fe17_c79a_c6ca, 0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c, 0x8dd0_1fad_907f_fc3c, 0xd351_5c28_3155_9a83, 0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb, 0xaecc_4991_4078_536d, 0x823c_1279_5db6_ce57, 0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f, 0xd774_85cb_2582_3ac7, 0xa086_cfcd_97bf_97f4, 0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e, 0x84c8_d4df_d2c6_3f3b, 0xc5dd_4427_1ad3_cdba, 0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584, 0xa3ab_6658_0d5f_daf6, 0xf3e2_f893_dec3_f126, 0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b, 0xc9bc_ff60_34c1_3053, 0x964e_858c_91ba_2655, 0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f, 0xf8a9_5fcf_8874_7d94, 0xb944_7093_8fa8_9bcf, 0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6, 0x993f_e2c6_d07b_7fac, 0xe45c_10c4_2a2b_3b06, 0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e, 0xbce5_0864_9211_1aeb, 0x8cbc_cc09_6f50_88cc, 0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000, 0xe8d4_a510_0000_0000, 0xad78_ebc5_ac62_0000, 0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3, 0x8f7e_32ce_7bea_5c70, 0xd5d2_38a4_abe9_8068, 0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27, 0xb0de_6538_8cc8_ada8, 0x83c7_088e_1aab_65db, 0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758, 0xda01_ee64_1a70_8dea, 0xa26d_a399_9aef_774a, 0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877, 0x865b_8692_5b9b_c5c2, 0xc835_53c5_c896_5d3d, 0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3, 0xa59b_c234_db39_8c25, 0xf6c6_9a72_a398_9f5c, 0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2, 0xcc20_ce9b_d35c_78a5, 0x9816_5af3_7b21_53df, 0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396, 0xfb9b_7cd9_a4a7_443c, 0xbb76_4c4c_a7a4_4410, 0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c, 0x9b10_a4e5_e991_3129, 0xe710_9bfb_a19c_0c9d, 0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85, 0xbf21_e440_03ac_dd2d, 0x8e67_9c2f_5e44_ff8f, 0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9, 0xeb96_bf6e_badf_77d9, 0xaf87_023b_9bf0_ee6b,
];

/// The power of ten that brings a number of this binary exponent into [`EXPONENTS`], and the exponent of that
/// power.
fn power_for(exponent: i32) -> (Scaled, i32) {
    // If two powers are possible, this estimate decides which is taken, and so which digits result.
    #[allow(clippy::cast_possible_truncation)]
    let estimate = (f64::from(-(exponent + 87)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (estimate - FIRST_POWER) / POWER_STEP;
    loop {
        let power = FIRST_POWER + index * POWER_STEP;
        // The binary logarithm of ten in fixed point, exact enough for far greater powers than these.
        let binary = ((power * 1_741_647) >> 19) - 63;
        let sum = exponent + binary + 64;
        let fraction = usize::try_from(index).ok().and_then(|index| POWERS.get(index)).copied();
        match fraction {
            Some(_) if sum < *EXPONENTS.start() => index += 1,
            Some(_) if sum > *EXPONENTS.end() => index -= 1,
            // The powers cover all doubles: there is always one.
            _ => return (Scaled { fraction: fraction.unwrap_or(1 << 63), exponent: binary }, power),
        }
    }
}

/// The digits of a finite double greater than 0.
pub(super) fn digits(value: f64) -> Decimal {
    const FRACTION_BITS: i32 = 52;
    const HIDDEN: u64 = 1 << FRACTION_BITS;
    const BIAS: i32 = 1023 + FRACTION_BITS;

    let bits = value.to_bits();
    let fraction = bits & (HIDDEN - 1);
    let value = match i32::try_from(bits >> FRACTION_BITS & 0x7ff).unwrap_or_default() {
        0 => Scaled { fraction, exponent: 1 - BIAS },
        exponent => Scaled { fraction: fraction | HIDDEN, exponent: exponent - BIAS },
    };
    // Halfway to the next double and to the one before, which is nearer below a power of two.
    let upper = Scaled { fraction: (value.fraction << 1) + 1, exponent: value.exponent - 1 }.normalized();
    let lower_shift = if value.fraction == HIDDEN { 2 } else { 1 };
    let lower_exponent = value.exponent - lower_shift;
    let lower = Scaled {
        fraction: ((value.fraction << lower_shift) - 1) << (lower_exponent - upper.exponent),
        exponent: upper.exponent,
    };

    let (power, tens) = power_for(upper.exponent);
    let value = value.normalized().times(power);
    // One less on either side, because the products are rounded.
    let upper = {
        let upper = upper.times(power);
        Scaled { fraction: upper.fraction - 1, ..upper }
    };
    let lower = lower.times(power).fraction + 1;
    generate(value.fraction, lower, upper, -tens)
}

/// The fewest digits between the boundaries, and of those the nearest to `value`, times ten to the power of
/// `last`.
fn generate(value: u64, lower: u64, upper: Scaled, last: i32) -> Decimal {
    let mut decimal = Decimal { digits: [0; MAX_DIGITS], count: 0, last };
    let shift = upper.exponent.unsigned_abs();
    let one = 1u64 << shift;
    let mut limit = upper.fraction - lower;
    let target = upper.fraction - value;
    let mut whole = upper.fraction >> shift;
    let mut rest = upper.fraction & (one - 1);

    let mut step = 1_000_000_000;
    for left in (0..10).rev() {
        decimal.push(whole / step);
        whole %= step;
        let behind = (whole << shift) + rest;
        if behind <= limit {
            decimal.last += left;
            decimal.approach(limit, behind, step << shift, target);
            return decimal;
        }
        step /= 10;
    }
    let mut unit: u64 = 1;
    loop {
        rest = rest.wrapping_mul(10);
        limit = limit.wrapping_mul(10);
        unit = unit.wrapping_mul(10);
        decimal.last -= 1;
        decimal.push(rest >> shift);
        rest &= one - 1;
        if rest < limit || decimal.count == MAX_DIGITS {
            decimal.approach(limit, rest, one, target.wrapping_mul(unit));
            return decimal;
        }
    }
}
