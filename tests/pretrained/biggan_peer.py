"""BigGAN, IC-GAN's generator and BigGAN-deep in PyTorch, with the published names of parameters."""

from tests.peers import peer

torch = peer("torch")
nn = torch.nn
F = torch.nn.functional


def unit(vector):
    return vector / vector.norm().clamp_min(1e-12)


class Normed:
    """A layer whose weight is divided by sigma, one power step from the buffer `u0`."""

    def keep_vector(self, rows):
        self.register_buffer("u0", torch.randn(1, rows))
        self.register_buffer("sv0", torch.ones(1))

    def divided(self):
        rows = self.weight.flatten(1)
        with torch.no_grad():
            v = unit(self.u0 @ rows)
            u = unit(v @ rows.T)
        return self.weight / (v @ rows.T @ u.T).squeeze()


class Conv(nn.Conv2d, Normed):
    def __init__(self, inside, outside, size=3, bias=True):
        super().__init__(inside, outside, size, padding=size // 2, bias=bias)
        self.keep_vector(outside)

    def forward(self, x):
        return F.conv2d(x, self.divided(), self.bias, padding=self.padding)


class Linear(nn.Linear, Normed):
    def __init__(self, inside, outside, bias=True):
        super().__init__(inside, outside, bias)
        self.keep_vector(outside)

    def forward(self, x):
        return F.linear(x, self.divided(), self.bias)


class Embedding(nn.Embedding, Normed):
    def __init__(self, count, width):
        super().__init__(count, width)
        self.keep_vector(count)

    def forward(self, index):
        return F.embedding(index, self.divided())


class Norm(nn.Module):
    """Stored statistics; in training the batch's own, which move the stored ones."""

    def __init__(self, channels):
        super().__init__()
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))

    def standardised(self, x):
        return F.batch_norm(x, self.stored_mean, self.stored_var, training=self.training)


class ConditionalNorm(Norm):
    def __init__(self, channels, given):
        super().__init__(channels)
        self.gain, self.bias = (Linear(given, channels, bias=False) for _ in range(2))

    def forward(self, x, y):
        gain, bias = (layer(y)[:, :, None, None] for layer in (self.gain, self.bias))
        return self.standardised(x) * (1 + gain) + bias


class LastNorm(Norm):
    def __init__(self, channels):
        super().__init__(channels)
        self.gain, self.bias = (nn.Parameter(torch.ones(channels)) for _ in range(2))

    def forward(self, x):
        return self.standardised(x) * self.gain[:, None, None] + self.bias[:, None, None]


class Block(nn.Module):
    def __init__(self, inside, outside, given):
        super().__init__()
        self.conv1, self.conv2 = Conv(inside, outside), Conv(outside, outside)
        self.conv_sc = Conv(inside, outside, 1)
        self.bn1, self.bn2 = ConditionalNorm(inside, given), ConditionalNorm(outside, given)

    def forward(self, x, y):
        large = F.interpolate(torch.relu(self.bn1(x, y)), scale_factor=2)
        out = self.conv2(torch.relu(self.bn2(self.conv1(large), y)))
        return out + self.conv_sc(F.interpolate(x, scale_factor=2))


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for name, a, b in (("theta", 1, 8), ("phi", 1, 8), ("g", 1, 2)):
            setattr(self, name, Conv(channels // a, channels // b, 1, bias=False))
        self.o = Conv(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x, _=None):
        query = self.theta(x).flatten(2)
        key, value = (F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.phi, self.g))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        found = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return self.gamma * self.o(found) + x


class Generator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        given = config.chunk
        if config.classes or config.features:  # IC-GAN keeps an embedding that it does not use
            self.shared = nn.Embedding(config.classes or 10, config.class_units)
            given += config.class_units * bool(config.classes)
        if config.features:
            self.shared_feat = Linear(config.features, config.feature_units)
            given += config.feature_units
        self.linear = Linear(config.chunk, config.first_units)
        self.blocks = nn.ModuleList()
        side = 4
        for inside, outside in config.channels:
            side *= 2
            parts = [Block(inside, outside, given)]
            parts += [Attention(outside)] if side in config.attention else []
            self.blocks.append(nn.ModuleList(parts))
        last = config.channels[-1][1]
        self.output_layer = nn.Sequential(LastNorm(last), nn.ReLU(), Conv(last, 3))

    def forward(self, noise, features=None, classes=None, first=None):
        shared = [] if not self.config.classes else [self.shared(classes)]
        shared += [] if features is None else [self.shared_feat(features)]
        parts = noise[:, : self.config.noise_used].split(self.config.chunk, dim=1)
        x = self.linear(parts[0]) if first is None else first
        x = x.unflatten(1, (-1, 4, 4))
        for part, block in zip(parts[1:], self.blocks, strict=True):
            for layer in block:
                x = layer(x, torch.cat([*shared, part], dim=1))
        return torch.tanh(self.output_layer(x))


class DiscriminatorBlock(nn.Module):
    def __init__(self, inside, outside, halve, first):
        super().__init__()
        self.conv1, self.conv2 = Conv(inside, outside), Conv(outside, outside)
        self.conv_sc = Conv(inside, outside, 1) if halve or inside != outside else None
        self.halve, self.first = halve, first

    def forward(self, x):
        y = x if self.first else torch.relu(x)
        y = self.conv2(torch.relu(self.conv1(y)))
        x = x if self.conv_sc is None else self.conv_sc(x)
        return F.avg_pool2d(y, 2) + F.avg_pool2d(x, 2) if self.halve else y + x


class Discriminator(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.blocks, inside, side = nn.ModuleList(), 3, config.image_size
        for i, (outside, halve) in enumerate(config.discriminator_blocks):
            side //= 1 + halve
            parts = [DiscriminatorBlock(inside, outside, halve, i == 0)]
            parts += [Attention(outside)] if side in config.attention else []
            self.blocks.append(nn.ModuleList(parts))
            inside = outside
        self.linear = Linear(inside, 1)
        units = inside // (2 if config.classes and config.features else 1)
        if config.classes:
            self.embed = Embedding(config.classes, units)
        if config.features:
            self.linear_feat = Linear(config.features, units)

    def forward(self, x, features=None, classes=None):
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        x = torch.relu(x).sum(dim=(2, 3))
        told = [] if classes is None else [self.embed(classes)]
        told += [] if features is None else [self.linear_feat(features)]
        return self.linear(x)[:, 0] + (torch.cat(told, dim=1) * x).sum(dim=1)


def stirred(model, seed=0):
    """With every parameter and buffer random: those that start at 0 or 1 too."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor):
        return torch.randn(tensor.shape, generator=generator)

    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("_var", "_vars")):
                tensor.copy_(0.5 + normal(tensor).abs())
            elif tensor.ndim > 1 and "weight" in name:
                tensor.copy_(normal(tensor) * tensor[0].numel() ** -0.5)
            elif name.endswith("gamma"):
                tensor.copy_(1.0 + 0.3 * normal(tensor))
            else:
                tensor.copy_(0.5 * normal(tensor))
    return model.eval()


def spectral(layer):
    return nn.utils.spectral_norm(layer, eps=1e-4)


class DeepNorm(nn.Module):
    def __init__(self, config, channels, given=0):
        super().__init__()
        self.register_buffer("running_means", torch.zeros(config.statistics, channels))
        self.register_buffer("running_vars", torch.ones(config.statistics, channels))
        if given:
            self.scale, self.offset = (
                spectral(nn.Linear(given, channels, bias=False)) for _ in range(2)
            )
        else:
            self.weight, self.bias = (nn.Parameter(torch.ones(channels)) for _ in range(2))

    def forward(self, x, row, condition=None):
        mean, variance = (
            row(table)[:, None, None] for table in (self.running_means, self.running_vars)
        )
        x = (x - mean) / torch.sqrt(variance + 1e-4)
        if condition is None:
            return x * self.weight[:, None, None] + self.bias[:, None, None]
        gain, bias = (part(condition)[:, :, None, None] for part in (self.scale, self.offset))
        return x * (1 + gain) + bias


class DeepBlock(nn.Module):
    def __init__(self, config, double, inside, outside):
        super().__init__()
        middle = inside // 4
        ends = (inside, middle, middle, middle, outside)
        for i in range(4):
            size = 3 if i in (1, 2) else 1
            conv = spectral(nn.Conv2d(ends[i], ends[i + 1], size, padding=size // 2))
            setattr(self, f"bn_{i}", DeepNorm(config, ends[i], 2 * config.noise))
            setattr(self, f"conv_{i}", conv)
        self.double, self.outside = double, outside

    def forward(self, x, row, condition):
        y = x
        for i in range(4):
            y = torch.relu(getattr(self, f"bn_{i}")(y, row, condition))
            y = F.interpolate(y, scale_factor=2) if i == 1 and self.double else y
            y = getattr(self, f"conv_{i}")(y)
        x = x[:, : self.outside]
        return y + (F.interpolate(x, scale_factor=2) if self.double else x)


class DeepAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for name, out in (("theta", channels // 8), ("phi", channels // 8), ("g", channels // 2)):
            conv = spectral(nn.Conv2d(channels, out, 1, bias=False))
            setattr(self, f"snconv1x1_{name}", conv)
        self.snconv1x1_o_conv = spectral(nn.Conv2d(channels // 2, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        query = self.snconv1x1_theta(x).flatten(2)
        key, value = (
            F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.snconv1x1_phi, self.snconv1x1_g)
        )
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        found = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.snconv1x1_o_conv(found)


class Deep(nn.Module):
    """BigGAN-deep; its attention is one of `layers`."""

    def __init__(self, config):
        super().__init__()
        self.config, width = config, config.width
        self.embeddings = nn.Linear(config.classes, config.noise, bias=False)
        self.generator = inner = nn.Module()
        first = config.blocks[0][1] * width
        inner.gen_z = spectral(nn.Linear(2 * config.noise, 16 * first))
        layers = []
        for i, (double, inside, outside) in enumerate(config.blocks):
            if i == config.attention:
                layers.append(DeepAttention(inside * width))
            layers.append(DeepBlock(config, double, inside * width, outside * width))
        inner.layers = nn.ModuleList(layers)
        last = config.blocks[-1][2] * width
        inner.bn = DeepNorm(config, last)
        inner.conv_to_rgb = spectral(nn.Conv2d(last, last, 3, padding=1))

    def forward(self, noise, classes, row):
        """`row` takes a table of statistics to those of a truncation."""
        condition = torch.cat([noise, self.embeddings(classes)], dim=1)
        x = self.generator.gen_z(condition).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        for layer in self.generator.layers:
            x = layer(x) if isinstance(layer, DeepAttention) else layer(x, row, condition)
        x = torch.relu(self.generator.bn(x, row))
        return torch.tanh(self.generator.conv_to_rgb(x)[:, :3])
